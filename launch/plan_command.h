#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "trainer/recipe_load.h"

namespace boostr {

/// What the plan verb was asked for.
struct PlanOptions {
  std::string device = "this";
  std::string calibration;  ///< the file of what was measured of this machine
  bool json = false;
  bool search = false;  ///< list the fastest layouts
};

/// In the user's cache: $XDG_CACHE_HOME or ~/.cache.
std::string usual_calibration_file();

/// The plan verb: prints what every rank would hold, do and send, how long a step would take and
/// whether it fits, on `ranks` ranks, or where that is 0 on as many as the recipe's degrees multiply
/// to. Opens no data and needs no ranks. Returns the exit code.
int plan_command(const LoadedRecipe& loaded, int ranks, const PlanOptions& options,
                 std::ostream& out);

/// For how many ranks --calibrate measures: `ranks`, or where that is 0 what a plan of the recipe
/// has; without a recipe one rank with all cores, one on each and two on each.
std::vector<int> ranks_to_calibrate(const LoadedRecipe* loaded, int ranks);

/// Measures this machine as the ranks that were started share it, on small models and on the
/// recipe's, if there is one that it can train in reasonable time, and adds what was found to
/// `file`. Returns the exit code.
int calibrate_command(const Recipe* recipe, const std::string& file);

}  // namespace boostr
