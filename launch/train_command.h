#pragma once

#include <string>
#include <vector>

#include "trainer/recipe_load.h"

namespace boostr {

/// The train verb: joins the ranks that were started (MPI only if there are several), trains as the
/// recipe says, and returns the exit code. `words` are the command line, without the starter.
/// An Error on one rank ends all of them: it is printed once, with the rank, and the process exits
/// with its code.
int train_command(const LoadedRecipe& loaded, const std::vector<std::string>& words);

}  // namespace boostr
