#include "trainer/loss_scaler.h"

#include <gtest/gtest.h>

namespace boostr {
namespace {

TEST(LossScaler, StaysAtOneForTypesWithAWideRange) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f64}) {
    LossScaler scaler(dtype, 65536, 2);
    for (int i = 0; i < 5; ++i) EXPECT_FALSE(scaler.update(true));
    EXPECT_FALSE(scaler.update(false))
        << "a non-finite gradient is then the run's, not the scale's";
    EXPECT_EQ(scaler.scale(), 1.0);
  }
}

TEST(LossScaler, HalvesOnOverflowAndDoublesAfterAWindowOfFiniteSteps) {
  LossScaler scaler(DType::f16, 1024, 3);
  EXPECT_TRUE(scaler.update(false));
  EXPECT_EQ(scaler.scale(), 512);
  scaler.update(true);
  scaler.update(true);
  EXPECT_EQ(scaler.scale(), 512);
  scaler.update(true);
  EXPECT_EQ(scaler.scale(), 1024);
}

TEST(LossScaler, AnOverflowRestartsTheWindow) {
  LossScaler scaler(DType::f16, 1024, 2);
  scaler.update(true);
  scaler.update(false);
  scaler.update(true);
  EXPECT_EQ(scaler.scale(), 512);
}

TEST(LossScaler, CannotBeBlamedAtOne) {
  LossScaler scaler(DType::f16, 2, 100);
  EXPECT_TRUE(scaler.update(false));
  EXPECT_EQ(scaler.scale(), 1);
  EXPECT_FALSE(scaler.update(false));
  EXPECT_EQ(scaler.scale(), 1);
}

TEST(LossScaler, ContinuesFromASavedState) {
  LossScaler a(DType::f16, 64, 3), b(DType::f16, 8, 3);
  a.update(true);
  a.update(true);
  b.restore(a.state());
  b.update(true);
  EXPECT_EQ(b.scale(), 128);
}

}  // namespace
}  // namespace boostr
