#include <cstdlib>
#include <exception>
#include <iostream>
#include <new>

#include "launch/cli.h"
#include "launch/launcher.h"
#include "launch/train_command.h"
#include "parallel/comm/mpi.h"

namespace {

using boostr::ExitCode;

const char* environment_variable(const char* name) { return std::getenv(name); }

/// The command line as typed, but for quotes.
std::string joined(int argc, char** argv) {
  std::string words = argv[0];
  for (int i = 1; i < argc; ++i) words += boostr::text(" ", argv[i]);
  return words;
}

int run(const std::string& command, const std::vector<std::string>& arguments, std::ostream& err) {
  const boostr::Actions actions{
      .train =
          [&](const boostr::LoadedRecipe& recipe) {
            return boostr::train_command(recipe, command);
          },
      .launch = boostr::launch_under_mpirun,
      .ranks = [] { return boostr::launched_ranks(environment_variable); }};
  const int code = boostr::run_command_line(arguments, actions, std::cout, err);
  std::cout.flush();
  boostr::require(std::cout.good(), ExitCode::internal, "cannot write to the standard output");
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  // All ranks read the same recipe: what is to be said of it is said once per host.
  std::ostream quiet(nullptr);
  const bool speaks = boostr::launched_local_rank(environment_variable) == 0;
  std::ostream& once = speaks ? std::cerr : quiet;
  const auto report = [&](ExitCode code, const char* prefix, const char* message) {
    (code == ExitCode::usage ? once : std::cerr) << prefix << message << std::flush;
    return static_cast<int>(code);
  };
  try {
    return run(joined(argc, argv), {argv + 1, argv + argc}, once);
  } catch (const boostr::RecipeError& e) {
    return report(e.code(), "", e.what());  // complete, with its places
  } catch (const boostr::Error& e) {
    return report(e.code(), "boostr-train: error: ", boostr::text(e.what(), "\n").c_str());
  } catch (const std::bad_alloc&) {
    return report(ExitCode::memory, "boostr-train: error: ", "out of memory\n");
  } catch (const std::exception& e) {
    return report(ExitCode::internal,
                  "boostr-train: error: ", boostr::text(e.what(), "\n").c_str());
  }
}
