#pragma once

#include <span>

#include "parallel/pipeline/simulate.h"

namespace boostr {

/// How one rank of a constructed schedule chooses what to do next.
struct RankPolicy {
  int ahead = 1;  ///< forwards whose backward has not run, at most; one at least
  double idle =
      0;  ///< time it may wait for a forward or backward that a weight gradient would delay
};

/// What the activations of a microbatch take, in any unit.
struct ActivationMemory {
  double limit = 1;          ///< of a rank; room for one microbatch at least
  double weight_memory = 1;  ///< of a microbatch between B and W; it takes 1 between F and B
};

/// A schedule of one chunk per rank, built as time goes on: a rank runs a backward as soon as it is
/// there, else a forward as far as its policy and its memory let it, and fills its gaps with the
/// weight gradients that it owes. (A generalisation of arXiv 2401.10241, section 3.1.)
Schedule construct_schedule(const PipelineShape& shape, std::span<const StageCosts> costs,
                            std::span<const RankPolicy> policies, const ActivationMemory& memory);

}  // namespace boostr
