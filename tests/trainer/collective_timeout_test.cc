#include "trainer/collective_timeout.h"

#include <gtest/gtest.h>

namespace boostr {
namespace {

TEST(CollectiveTimeout, IsWhatTheRecipeSays) {
  CollectiveTimeout timeout(5);
  timeout.step_took(100);
  EXPECT_EQ(timeout.in_step(), 5);
  EXPECT_EQ(timeout.between_steps(), 5);
}

TEST(CollectiveTimeout, IsFiveMinutesUntilAStepIsKnown) {
  const CollectiveTimeout timeout(0);
  EXPECT_EQ(timeout.in_step(), 300);
  EXPECT_EQ(timeout.between_steps(), 300);
}

TEST(CollectiveTimeout, IsTenMedianStepsAndAtLeastAMinute) {
  CollectiveTimeout timeout(0);
  timeout.step_took(1);
  EXPECT_EQ(timeout.in_step(), 60);
  timeout.step_took(20);
  timeout.step_took(9);
  EXPECT_EQ(timeout.in_step(), 90);
  EXPECT_EQ(timeout.between_steps(), 300);
  for (int i = 0; i < 200; ++i) timeout.step_took(30);
  EXPECT_EQ(timeout.in_step(), 300) << "steps of long ago are forgotten";
}

}  // namespace
}  // namespace boostr
