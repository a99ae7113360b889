#pragma once

#include <string>
#include <vector>

#include "trainer/recipe_load.h"

namespace boostr {

/// The complete recipe as YAML, defaults included; it loads back to the same recipe. Keys without
/// effect beside the others are left out where they have their default.
std::string resolved_yaml(const Recipe& recipe);

/// The same with the origin of each value as a comment: `default`, `file:line`, `override
/// 'key=value'`.
std::string explained_yaml(const LoadedRecipe& loaded);

/// A key whose value differs between two recipes; an absent one is "".
struct RecipeChange {
  std::string path;  ///< `lr_schedule.warmup_steps`, `data.train.0.weight`
  std::string before, after;
};
/// Every key in which two recipes differ, in the order of the recipe.
std::vector<RecipeChange> changes(const Recipe& before, const Recipe& after);

}  // namespace boostr
