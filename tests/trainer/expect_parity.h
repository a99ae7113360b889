#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "parallel/comm/threads.h"
#include "trainer/verify.h"

namespace boostr {

/// The first steps of a training in one process, kept for all ranks to compare with.
class KeptSteps {
 public:
  /// training.global_batch_size must be given.
  KeptSteps(const Recipe& recipe, std::int64_t steps) {
    OneProcess one(recipe);
    for (std::int64_t step = 0; step < steps; ++step) keep(one.step());
  }

  std::int64_t count() const { return static_cast<std::int64_t>(steps_.size()); }
  const TrainedStep& operator()(std::int64_t step) const {
    return steps_[static_cast<std::size_t>(step) - 1];
  }

 private:
  void keep(TrainedStep step) {
    for (CheckpointTensor& tensor : step.tensors) {
      std::vector<std::byte>& copy = memory_.emplace_back(tensor.local.bytes());
      std::memcpy(copy.data(), tensor.local.data, copy.size());
      tensor.local.data = copy.data();
    }
    steps_.push_back(std::move(step));
  }

  std::vector<TrainedStep> steps_;
  std::vector<std::vector<std::byte>> memory_;  // whose elements stay where they are when it grows
};

/// Expects that the recipe trains on `ranks` thread ranks as in one process: each number of all kept
/// steps to 1e-10, and more than `numbers` of them.
inline void expect_parity(const KeptSteps& reference, const Recipe& recipe, int ranks,
                          std::int64_t numbers) {
  run_ranks(ranks, [&](Communicator& world) {
    const Verification result =
        verify_against(reference, recipe, world, {.steps = reference.count(), .tolerance = 1e-10});
    EXPECT_EQ(result.steps, reference.count());
    EXPECT_GT(result.numbers, numbers);
    if (!result.first || world.rank() != 0) return;
    const Difference& first = *result.first;
    ADD_FAILURE() << first.what << " " << first.where << " of step " << first.step << " on rank "
                  << first.rank << ": " << first.actual << ", not " << first.expected << " ("
                  << first.error << ")";
  });
}

}  // namespace boostr
