#pragma once

#include <string>
#include <vector>

#include "trainer/recipe_load.h"

namespace boostr {

/// The train verb: trains as the recipe says, as one of the ranks that were started, and returns
/// the exit code. `words` are the command line, without the starter.
int train_command(const LoadedRecipe& loaded, const std::vector<std::string>& words);

}  // namespace boostr
