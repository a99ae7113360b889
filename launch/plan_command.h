#pragma once

#include <iosfwd>
#include <string>

#include "trainer/recipe_load.h"

namespace boostr {

/// What the plan verb was asked for.
struct PlanOptions {
  std::string device = "this";
  bool json = false;
  bool search = false;  ///< list the fastest layouts
};

/// The plan verb: prints what every rank would hold, do and send, how long a step would take and
/// whether it fits, on `ranks` ranks, or where that is 0 on as many as the recipe's degrees multiply
/// to. Opens no data and needs no ranks. Returns the exit code.
int plan_command(const LoadedRecipe& loaded, int ranks, const PlanOptions& options,
                 std::ostream& out);

}  // namespace boostr
