#pragma once

#include <map>
#include <span>
#include <string>

#include "trainer/recipe.h"
#include "trainer/recipe_diagnostics.h"

namespace boostr {

/// Where a key was set.
struct RecipePlace {
  Mark key;
  Mark value;
};

/// A recipe that passed every check that needs no ranks, with where each of its values came from.
struct LoadedRecipe {
  Recipe recipe;
  /// By dotted path (`data.train.0.weight`), sections included. What is not here has its default.
  std::map<std::string, RecipePlace> places;
  Diagnostics diagnostics;  ///< the texts read, and the warnings about them
};

/// Reads, merges (`extends`, then the overrides `key.path=value` in their order) and checks a
/// recipe, before MPI or a device or any other file is touched. Keys that say -1 and depend on the
/// recipe alone are resolved. Throws RecipeError with every error at once; Error(usage) if the file
/// cannot be read.
LoadedRecipe load_recipe(const std::string& path, std::span<const std::string> overrides = {});

/// The same for a recipe at hand as text (one stored in a checkpoint); `name` stands for the file
/// in messages.
LoadedRecipe parse_recipe(const std::string& name, const std::string& text,
                          std::span<const std::string> overrides = {});

/// Checks what depends on the number of ranks: the mesh's degrees and the batch. Returns the
/// data-parallel degree. Throws RecipeError that points at the keys concerned.
int check_ranks(const LoadedRecipe& loaded, int ranks);

}  // namespace boostr
