#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "launch/cli.h"
#include "launch/launcher.h"
#include "launch/plan_command.h"
#include "launch/profile_command.h"
#include "launch/train_command.h"
#include "launch/verify_command.h"
#include "parallel/comm/mpi.h"

namespace {

using boostr::ExitCode;

/// What a silent rank leaves to the one that speaks for it: mpirun ends all with the first that
/// ends.
constexpr std::chrono::milliseconds time_to_speak{500};

const char* environment_variable(const char* name) { return std::getenv(name); }

/// `words` are the program and its arguments.
int run(const std::vector<std::string>& words, std::ostream& err) {
  const boostr::Actions actions{
      .train =
          [&](const boostr::LoadedRecipe& recipe) { return boostr::train_command(recipe, words); },
      .profile = boostr::profile_command,
      .verify = boostr::verify_command,
      .calibrate = boostr::calibrate_command,
      .launch = boostr::launch_under_mpirun,
      .ranks = [] { return boostr::launched_ranks(environment_variable); }};
  const int code =
      boostr::run_command_line({words.begin() + 1, words.end()}, actions, std::cout, err);
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
  // In one piece, or mpirun's own words get between.
  const auto report = [&](ExitCode code, const std::string& message) {
    if (code != ExitCode::usage || speaks)
      std::cerr << message << std::flush;
    else
      std::this_thread::sleep_for(time_to_speak);
    return static_cast<int>(code);
  };
  try {
    return run({argv, argv + argc}, once);
  } catch (const boostr::RecipeError& e) {
    return report(e.code(), e.what());  // complete, with its places
  } catch (const boostr::Error& e) {
    return report(e.code(), boostr::text("boostr-train: error: ", e.what(), "\n"));
  } catch (const std::bad_alloc&) {
    return report(ExitCode::memory, "boostr-train: error: out of memory\n");
  } catch (const std::exception& e) {
    return report(ExitCode::internal, boostr::text("boostr-train: error: ", e.what(), "\n"));
  }
}
