#pragma once

#include <set>
#include <string>

#include "trainer/recipe_load.h"

namespace boostr {

/// Checks the rules that tie several keys together; errors and warnings go to `loaded.diagnostics`,
/// at the key that should change. Rules that need a path in `unread` (from read_recipe) are passed
/// over.
void check_recipe(const std::set<std::string>& unread, LoadedRecipe& loaded);

}  // namespace boostr
