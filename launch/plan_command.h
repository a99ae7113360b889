#pragma once

#include <iosfwd>
#include <string>

#include "trainer/recipe_load.h"

namespace boostr {

/// What the plan verb was asked for.
struct PlanOptions {
  int ranks = 0;  ///< 0: as many as the recipe's degrees multiply to
  std::string device = "this";
  bool json = false;
};

/// The plan verb: prints what every rank would hold, do and send, how long a step would take and
/// whether it fits. Opens no data and needs no ranks. Returns the exit code.
int plan_command(const LoadedRecipe& loaded, const PlanOptions& options, std::ostream& out);

}  // namespace boostr
