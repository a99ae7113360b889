#include <exception>
#include <iostream>
#include <new>

#include "launch/cli.h"

namespace {

int report(boostr::ExitCode code, const char* message) {
  std::cerr << "boostr-train: error: " << message << std::endl;
  return static_cast<int>(code);
}

}  // namespace

int main(int argc, char** argv) {
  using boostr::ExitCode;
  const boostr::Actions actions{
      .train = [](const boostr::LoadedRecipe&) -> int {
        throw boostr::Error("training is not connected to the command line yet");
      },
      .launch = [](int, const std::vector<std::string>&) -> int {
        throw boostr::Error("the launcher is not connected to the command line yet");
      }};
  try {
    return boostr::run_command_line({argv + 1, argv + argc}, actions, std::cout, std::cerr);
  } catch (const boostr::RecipeError& e) {
    std::cerr << e.what() << std::flush;  // complete, with its places
    return static_cast<int>(e.code());
  } catch (const boostr::Error& e) {
    return report(e.code(), e.what());
  } catch (const std::bad_alloc&) {
    return report(ExitCode::memory, "out of memory");
  } catch (const std::exception& e) {
    return report(ExitCode::internal, e.what());
  }
}
