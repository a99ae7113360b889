#pragma once

#include "parallel/comm/communicator.h"

namespace boostr {

/// The sum of every rank's value, the same on all; collective.
double all_ranks_sum(Communicator& group, double value);
/// The largest of every rank's value.
double all_ranks_max(Communicator& group, double value);

}  // namespace boostr
