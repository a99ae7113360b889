#pragma once

#include <string>

namespace boostr {

/// The JSON Schema (draft 2020-12) of recipes, made from the table of fields: editors complete and
/// check with it. It accepts what this build accepts, rules between several keys aside.
std::string recipe_schema();

/// docs/recipe.md: every key with what it takes, its default and its meaning, from the same table.
std::string recipe_reference();

}  // namespace boostr
