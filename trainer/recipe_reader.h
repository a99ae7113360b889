#pragma once

#include <set>
#include <string>

#include "trainer/recipe_load.h"
#include "trainer/yaml_reader.h"

namespace boostr {

/// Turns the merged tree into `loaded.recipe`, key by key along the table of fields. Unknown and
/// missing keys, wrong types and values out of range go to `loaded.diagnostics`. What could not be
/// read keeps its default, and its path is returned; `section.?` stands for the unknown keys of a
/// section.
std::set<std::string> read_recipe(const YamlNode& root, LoadedRecipe& loaded);

}  // namespace boostr
