#include "models/layers/rope_tables.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace boostr {
namespace {

TEST(RopeFrequencies, DefaultIsAGeometricSequence) {
  const auto frequencies = rope_frequencies(8, 10000.0, {});
  ASSERT_EQ(frequencies.inverse_frequency.size(), 4u);
  EXPECT_DOUBLE_EQ(frequencies.inverse_frequency[0], 1.0);
  EXPECT_NEAR(frequencies.inverse_frequency[1], 0.1, 1e-15);
  EXPECT_NEAR(frequencies.inverse_frequency[3], 0.001, 1e-17);
  EXPECT_EQ(frequencies.attention_factor, 1.0);
}

TEST(RopeFrequencies, LinearDividesPositions) {
  const RopeScaling scaling{.rope_type = "linear", .factor = 4.0};
  const auto plain = rope_frequencies(16, 500.0, {}), scaled = rope_frequencies(16, 500.0, scaling);
  for (std::size_t i = 0; i < 8; ++i)
    EXPECT_DOUBLE_EQ(scaled.inverse_frequency[i], plain.inverse_frequency[i] / 4.0);
}

// Llama 3.1's own settings: wavelengths below 8192 / 4 are kept, above 8192 / 1 divided by 8.
TEST(RopeFrequencies, Llama3KeepsShortWavesAndStretchesLongOnes) {
  const RopeScaling scaling{.rope_type = "llama3", .factor = 8.0};
  const auto plain = rope_frequencies(128, 500000.0, {}),
             scaled = rope_frequencies(128, 500000.0, scaling);
  for (std::size_t i = 0; i < 64; ++i) {
    const double wavelength = 2 * std::numbers::pi / plain.inverse_frequency[i];
    const double ratio = scaled.inverse_frequency[i] / plain.inverse_frequency[i];
    if (wavelength < 2048) {
      EXPECT_DOUBLE_EQ(ratio, 1.0);
    } else if (wavelength > 8192) {
      EXPECT_DOUBLE_EQ(ratio, 1.0 / 8);
    } else {
      const double smooth = (8192 / wavelength - 1) / 3;
      EXPECT_NEAR(ratio, (1 - smooth) / 8 + smooth, 1e-12);
    }
  }
}

// Equations 17 and 22 of arXiv 2309.00071: gamma(r) ramps between beta_slow and beta_fast
// rotations.
TEST(RopeFrequencies, YarnInterpolatesByPartsAndHeatsTheAttention) {
  const RopeScaling scaling{
      .rope_type = "yarn", .factor = 4.0, .original_max_position_embeddings = 4096};
  const auto plain = rope_frequencies(128, 10000.0, {}),
             scaled = rope_frequencies(128, 10000.0, scaling);
  EXPECT_DOUBLE_EQ(scaled.attention_factor, 0.1 * std::log(4.0) + 1);
  for (std::size_t i = 0; i < 64; ++i) {
    const double rotations = 4096 * plain.inverse_frequency[i] / (2 * std::numbers::pi);
    const double ratio = scaled.inverse_frequency[i] / plain.inverse_frequency[i];
    if (rotations > 34) {
      EXPECT_DOUBLE_EQ(ratio, 1.0);
    } else if (rotations < 0.9) {
      EXPECT_DOUBLE_EQ(ratio, 0.25);
    } else {
      EXPECT_GE(ratio, 0.25);
      EXPECT_LE(ratio, 1.0);
    }
  }
}

TEST(RopeTables, HoldCosineAndSineOfPositionTimesFrequency) {
  const auto tables = rope_tables(5, {{1.0, 0.25}, 1.5}, DType::f64);
  EXPECT_EQ(tables.cos.shape(), (Shape{5, 2}));
  EXPECT_DOUBLE_EQ(tables.cos.values<double>()[3 * 2 + 1], 1.5 * std::cos(0.75));
  EXPECT_DOUBLE_EQ(tables.sin.values<double>()[4 * 2 + 0], 1.5 * std::sin(4.0));
}

}  // namespace
}  // namespace boostr
