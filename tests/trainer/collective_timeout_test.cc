#include "trainer/collective_timeout.h"

#include <gtest/gtest.h>

namespace boostr {
namespace {

TEST(CollectiveTimeout, IsWhatTheRecipeSays) {
  CollectiveTimeout timeout(5);
  timeout.step_took(CollectiveTimeout::Seconds(100));
  EXPECT_EQ(timeout.in_step().count(), 5);
  EXPECT_EQ(timeout.between_steps().count(), 5);
}

TEST(CollectiveTimeout, IsFiveMinutesUntilAStepIsKnown) {
  const CollectiveTimeout timeout(0);
  EXPECT_EQ(timeout.in_step().count(), 300);
  EXPECT_EQ(timeout.between_steps().count(), 300);
}

TEST(CollectiveTimeout, IsTenMedianStepsAndAtLeastAMinute) {
  CollectiveTimeout timeout(0);
  timeout.step_took(CollectiveTimeout::Seconds(1));
  EXPECT_EQ(timeout.in_step().count(), 60);
  timeout.step_took(CollectiveTimeout::Seconds(20));
  timeout.step_took(CollectiveTimeout::Seconds(9));
  EXPECT_EQ(timeout.in_step().count(), 90);
  EXPECT_EQ(timeout.between_steps().count(), 300);
  for (int i = 0; i < 200; ++i) timeout.step_took(CollectiveTimeout::Seconds(30));
  EXPECT_EQ(timeout.in_step().count(), 300) << "steps of long ago are forgotten";
}

}  // namespace
}  // namespace boostr
