#include "trainer/lr_schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace boostr {
namespace {

LrSchedule schedule(const std::string& decay, std::int64_t warmup, std::int64_t steps,
                    double least = 0.1, std::int64_t decay_steps = -1) {
  return LrSchedule(
      {.decay = decay, .warmup_steps = warmup, .min_lr_factor = least, .decay_steps = decay_steps},
      steps);
}

TEST(LrSchedule, WarmupRisesFromTheFirstStepToTheFullRate) {
  for (const char* decay : {"constant", "linear", "cosine", "wsd", "inverse_sqrt"}) {
    const LrSchedule s = schedule(decay, 20, 200);
    EXPECT_DOUBLE_EQ(s.factor(1), 1.0 / 20) << decay;
    EXPECT_DOUBLE_EQ(s.factor(10), 0.5) << decay;
    EXPECT_DOUBLE_EQ(s.factor(20), 1.0) << decay;
  }
}

TEST(LrSchedule, WithoutWarmupTheFirstStepHasTheFullRate) {
  for (const char* decay : {"constant", "linear", "cosine", "wsd", "inverse_sqrt"})
    EXPECT_DOUBLE_EQ(schedule(decay, 0, 50).factor(1), 1.0) << decay;
}

TEST(LrSchedule, LinearCosineAndWsdEndAtTheMinimum) {
  for (const char* decay : {"linear", "cosine", "wsd"})
    EXPECT_NEAR(schedule(decay, 5, 100, 0.25).factor(100), 0.25, 1e-15) << decay;
}

TEST(LrSchedule, CosineFollowsItsFormula) {
  const LrSchedule s = schedule("cosine", 20, 200);
  for (const std::int64_t step : {50, 110, 180}) {
    const double p = double(step - 20) / 180;
    EXPECT_DOUBLE_EQ(s.factor(step), 0.1 + 0.9 * 0.5 * (1 + std::cos(std::numbers::pi * p)));
  }
}

TEST(LrSchedule, LinearIsHalfWayInTheMiddle) {
  EXPECT_DOUBLE_EQ(schedule("linear", 0, 101, 0.0).factor(51), 0.5);
}

TEST(LrSchedule, WsdIsStableUntilItsDecay) {
  const LrSchedule s = schedule("wsd", 10, 100, 0.0, 20);
  EXPECT_DOUBLE_EQ(s.factor(80), 1.0);
  EXPECT_DOUBLE_EQ(s.factor(90), 0.5);
  EXPECT_DOUBLE_EQ(s.factor(100), 0.0);
  EXPECT_DOUBLE_EQ(schedule("wsd", 0, 100, 0.0).factor(95), 0.5)
      << "decay_steps: -1 is a tenth of the run";
}

TEST(LrSchedule, InverseSqrtFallsWithTheRootAndNotBelowTheMinimum) {
  const LrSchedule s = schedule("inverse_sqrt", 16, 10000, 0.1);
  EXPECT_DOUBLE_EQ(s.factor(64), 0.5);
  EXPECT_DOUBLE_EQ(s.factor(10000), 0.1);
}

TEST(LrSchedule, ConstantStays) { EXPECT_DOUBLE_EQ(schedule("constant", 3, 10).factor(10), 1.0); }

}  // namespace
}  // namespace boostr
