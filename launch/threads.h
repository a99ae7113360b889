#pragma once

#include "ops/execution.h"
#include "parallel/comm/communicator.h"

namespace boostr {

/// How many OpenMP threads this rank should use: `requested` if positive, else its share of the
/// cores that it may run on: ranks of a host that are bound to the same cores divide them.
/// Collective.
int threads_of_this_rank(Communicator& world, int requested);

}  // namespace boostr
