#pragma once

#include <functional>

#include "parallel/comm/communicator.h"
#include "trainer/recipe.h"

namespace boostr {

/// Joins the ranks that were started (MPI only if there are several), gives this one its timeout
/// and threads as the recipe says, and returns what `body` returns. An Error on one rank ends all
/// of them: it is printed once, with the rank, and the process exits with its code.
int run_on_ranks(const Recipe& recipe, const std::function<int(Communicator& world)>& body);

}  // namespace boostr
