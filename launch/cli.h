#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "launch/verify_command.h"
#include "trainer/profile/profile.h"
#include "trainer/recipe_load.h"

namespace boostr {

/// What the command line calls once it is understood; main connects it to the program, tests to
/// themselves.
struct Actions {
  /// Trains in this process, as one of however many ranks; returns the exit code.
  std::function<int(const LoadedRecipe& recipe)> train;
  /// Profiles the first steps in this process, as one of however many ranks; returns the exit code.
  std::function<int(const LoadedRecipe& recipe, const ProfileOptions& options)> profile;
  /// Compares the first steps on the recipe's mesh with those of one process; returns the exit code.
  std::function<int(const LoadedRecipe& recipe, const VerifyRequest& request)> verify;
  /// Measures this machine for plans, in this process, as one of however many ranks; `recipe` may be
  /// null. Returns the exit code.
  std::function<int(const Recipe* recipe, const std::string& file)> calibrate = nullptr;
  /// Starts `ranks` processes of this program with these arguments under mpirun; returns the exit
  /// code of them all.
  std::function<int(int ranks, const std::vector<std::string>& arguments)> launch;
  /// How many processes mpirun or another starter says this is one of; 1 without any.
  std::function<int()> ranks = [] { return 1; };
};

/// Runs `boostr-train` with these arguments (without the program's name): understands them, reads
/// and checks the recipe, and calls an action. Touches neither MPI nor a device. Returns the exit
/// code. Throws Error for everything that the user must hear about; the verb's own output goes to
/// `out`, warnings to `err`.
int run_command_line(const std::vector<std::string>& arguments, const Actions& actions,
                     std::ostream& out, std::ostream& err);

}  // namespace boostr
