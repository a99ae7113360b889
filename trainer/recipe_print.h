#pragma once

#include <string>

#include "trainer/recipe_load.h"

namespace boostr {

/// The complete recipe as YAML, defaults included; it loads back to the same recipe. Keys without
/// effect beside the others are left out where they have their default.
std::string resolved_yaml(const Recipe& recipe);

/// The same with the origin of each value as a comment: `default`, `file:line`, `override
/// 'key=value'`.
std::string explained_yaml(const LoadedRecipe& loaded);

}  // namespace boostr
