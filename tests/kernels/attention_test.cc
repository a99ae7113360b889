#include <gtest/gtest.h>

#include "tests/kernels/attention_cases.h"

namespace boostr::testing {
namespace {

using AttentionForward = AttentionOfType;
INSTANTIATE_TEST_SUITE_P(Types, AttentionForward, ::testing::ValuesIn(float_types), type_name);

TEST_P(AttentionForward, MatchesTheReference) {
  for_each_case([](const AttentionProblem& problem) {
    const auto expected = reference::attention(problem.reference_input());
    for_each_level([&](const KernelTable& kernels) {
      const auto y =
          same_on_any_threads([&](Stream& stream) { return problem.forward(kernels, stream); });
      expect_close(y[0], expected.out);
      expect_close(y[1], expected.lse, tolerance(problem.acc()));
    });
  });
}

// One key visible: its probability must be exactly 1, whatever the rounding of the scores.
TEST(Attention, CopiesTheValueOfTheOnlyVisibleKey) {
  for_each_level([](const KernelTable& kernels) {
    const AttentionProblem problem({1, 70, 1, 1, 9, true, 1}, DType::f32, 5.0);
    Stream stream;
    EXPECT_EQ(problem.forward(kernels, stream)[0].doubles(), problem.v.doubles());
  });
}

TEST(Attention, StaysFiniteForVeryLargeScores) {
  for_each_level([](const KernelTable& kernels) {
    for (DType dtype : float_types) {
      const double std = dtype == DType::f16 ? 1e3 : 1e6;
      const AttentionProblem problem({1, 150, 2, 1, 16}, dtype, std);
      Stream stream;
      const auto y = problem.forward(kernels, stream);
      for (double value : y[0].doubles()) ASSERT_TRUE(std::isfinite(value)) << dtype;
      for (double value : y[1].doubles()) ASSERT_TRUE(std::isfinite(value)) << dtype;
    }
  });
}

// Keys that none of a panel's queries sees are skipped, not multiplied by zero.
TEST(Attention, SkipsKeysThatNoQueryOfAPanelSees) {
  for_each_level([](const KernelTable& kernels) {
    AttentionProblem problem({1, 100, 1, 1, 8}, DType::f32);
    const std::int64_t poisoned = 40;
    problem.k.set(poisoned * 8, NAN);
    problem.v.set(poisoned * 8, NAN);
    Stream stream;
    const auto out = problem.forward(kernels, stream)[0];
    for (std::int64_t i = 0; i < 24; ++i) EXPECT_TRUE(std::isfinite(out.at(i * 8))) << i;
    for (std::int64_t i = poisoned; i < 100; ++i) EXPECT_TRUE(std::isnan(out.at(i * 8))) << i;
  });
}

TEST(Attention, WorkspaceGrowsNoFasterThanTheSequence) {
  for_each_level([](const KernelTable& kernels) {
    const auto bytes = [&](std::int64_t sequence) {
      const AttentionProblem problem({1, sequence, 1, 1, 4, true, 64, 50}, DType::bf16);
      release_cached_memory();
      const std::size_t before = allocator_stats().bytes_in_use;
      Stream stream(cpu_device, 2);
      problem.backward(kernels, stream, problem.forward(kernels, stream));
      return allocator_stats().bytes_in_use - before;
    };
    const std::size_t small = bytes(2000), large = bytes(20000);
    EXPECT_LE(large, small + 18000 * 128);
  });
}

}  // namespace
}  // namespace boostr::testing
