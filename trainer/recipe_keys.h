#pragma once

#include <string>
#include <vector>

namespace boostr {

/// The dotted path of every key of a recipe, sections included, in the order of the table; the keys
/// of a list's elements follow the list's own path (`data.train.weight`).
const std::vector<std::string>& recipe_keys();

}  // namespace boostr
