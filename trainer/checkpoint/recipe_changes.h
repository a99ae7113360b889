#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace boostr {

/// A key whose value differs between the recipe a checkpoint was saved with and the one that
/// resumes it.
struct RecipeChange {
  std::string key;     ///< "training.steps", "data.train[1].weight"
  std::string before;  ///< "(none)" where the recipe has no such key
  std::string now;
  std::string refusal;  ///< why a run cannot continue so; "" if it can
};

/// Compares two resolved recipes (YAML). Numbers that are equal in value are equal. Throws
/// Error(checkpoint) if a text is not a recipe.
std::vector<RecipeChange> compare_recipes(std::string_view saved, std::string_view now);

/// Throws Error(checkpoint) naming every refused change, if there is one.
void require_resumable(const std::vector<RecipeChange>& changes);

}  // namespace boostr
