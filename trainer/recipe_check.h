#pragma once

#include "trainer/recipe_load.h"

namespace boostr {

/// Checks the rules that tie several keys together; errors and warnings go to `loaded.diagnostics`,
/// at the key that should change. Expects that every value by itself is right.
void check_recipe(LoadedRecipe& loaded);

}  // namespace boostr
