#pragma once

#include <string>
#include <vector>

#include "trainer/recipe_print.h"

namespace boostr {

/// A key whose value differs between the recipe a checkpoint was saved with and the one that
/// resumes it.
struct ResumeChange {
  RecipeChange change;
  std::string
      refusal;  ///< why a run cannot continue so; "" if it can, and the change is only to be listed
};

/// "200 -> 400"; (none) stands for a value that is not there.
std::string values_of(const RecipeChange& change);

/// Every change, in the order of the recipe. Allowed are the length of the run, the optimizer's
/// numbers and schedule, the data's sources and weights, batch sizes, intervals, the mesh, and how
/// a context is extended. Refused is what the saved tensors do not fit (the model's shape, f64 or
/// not, the optimizer), and what gives them or the samples another meaning. A key that no rule
/// knows is refused.
std::vector<ResumeChange> resume_changes(const Recipe& saved, const Recipe& now);

/// Throws Error(checkpoint) naming every refused change, if there is one.
void require_resumable(const std::vector<ResumeChange>& changes);

}  // namespace boostr
