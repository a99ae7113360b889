#pragma once

#include "trainer/profile/profile.h"
#include "trainer/recipe_load.h"

namespace boostr {

/// The profile verb: profiles the recipe's first steps as one of the ranks that were started, and
/// returns the exit code. Rank 0 prints where the time went.
int profile_command(const LoadedRecipe& loaded, const ProfileOptions& options);

}  // namespace boostr
