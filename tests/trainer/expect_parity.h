#pragma once

#include <gtest/gtest.h>

#include "parallel/comm/threads.h"
#include "trainer/verify.h"

namespace boostr {

/// Expects that the recipe trains on `ranks` thread ranks as in one process: `steps` steps, each
/// number to 1e-10, and more than `numbers` of them.
inline void expect_parity(const Recipe& recipe, int ranks, std::int64_t steps,
                          std::int64_t numbers) {
  run_ranks(ranks, [&](Communicator& world) {
    const Verification result =
        verify_training(recipe, world, {.steps = steps, .tolerance = 1e-10});
    EXPECT_EQ(result.steps, steps);
    EXPECT_GT(result.numbers, numbers);
    if (!result.first || world.rank() != 0) return;
    const Difference& first = *result.first;
    ADD_FAILURE() << first.what << " " << first.where << " of step " << first.step << " on rank "
                  << first.rank << ": " << first.actual << ", not " << first.expected << " ("
                  << first.error << ")";
  });
}

}  // namespace boostr
