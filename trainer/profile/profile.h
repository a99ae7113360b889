#pragma once

#include <cstdint>
#include <string>

#include "parallel/comm/communicator.h"
#include "trainer/recipe.h"

namespace boostr {

struct ProfileOptions {
  std::int64_t steps = 5;              ///< that are measured
  std::int64_t warm_up_steps = 2;      ///< before them, not counted
  std::string trace = "profile.json";  ///< Chrome trace of all ranks; empty: none
  bool by_shape = false;               ///< a row for each kernel and shapes of its operands
  /// Pictures of the last step's pipeline: as it ran (SVG), and beside it, with "-planned" before
  /// the ending, as its schedule says for the mean times that were measured; empty: none.
  std::string timeline = {};
};

/// Trains the recipe's first steps from fresh weights and returns where rank 0's time went, as a
/// table for people (empty on the other ranks); of a pipeline of several stages also its timeline,
/// as it ran and as planned. Writes what the options name and nothing else: no checkpoint, no metrics, no lock; what recipe.output holds is neither read nor changed.
/// Collective.
std::string profile_training(const Recipe& recipe, Communicator& world,
                             const ProfileOptions& options);

}  // namespace boostr
