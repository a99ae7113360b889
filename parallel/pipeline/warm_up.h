#pragma once

#include <cstddef>
#include <vector>

#include "parallel/pipeline/schedule.h"

namespace boostr {

/// How many passes of each rank are its warm-up: the longest beginning of forwards alone that every
/// rank can run while no rank goes beyond its own, even if messages wait for their receivers
/// (most_waiting_messages of each direction to each rank).
std::vector<std::size_t> warm_up(const Schedule& schedule);

/// Which messages of the others' warm-ups `rank` does not take in its own: the passes that will.
std::vector<Pass> untaken_in_warm_up(const Schedule& schedule,
                                     const std::vector<std::size_t>& warm_up, int rank);

}  // namespace boostr
