#include "models/layers/rope_tables.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace boostr {
namespace {

double llama3_frequency(double frequency, const RopeScaling& scaling) {
  const double wavelength = 2 * std::numbers::pi / frequency;
  const double original = static_cast<double>(scaling.original_max_position_embeddings);
  if (wavelength < original / scaling.high_freq_factor) return frequency;
  if (wavelength > original / scaling.low_freq_factor) return frequency / scaling.factor;
  const double smooth = (original / wavelength - scaling.low_freq_factor) /
                        (scaling.high_freq_factor - scaling.low_freq_factor);
  return (1 - smooth) * frequency / scaling.factor + smooth * frequency;
}

/// The (fractional) pair of dimensions that turns `rotations` times over the original context.
double yarn_correction_dim(double rotations, double dim, double theta, double original) {
  return dim * std::log(original / (rotations * 2 * std::numbers::pi)) / (2 * std::log(theta));
}

void apply_yarn(std::vector<double>& frequencies, double theta, const RopeScaling& scaling) {
  const double dim = 2.0 * static_cast<double>(frequencies.size());
  const auto original = static_cast<double>(scaling.original_max_position_embeddings);
  const double low =
      std::max(std::floor(yarn_correction_dim(scaling.beta_fast, dim, theta, original)), 0.0);
  double high =
      std::min(std::ceil(yarn_correction_dim(scaling.beta_slow, dim, theta, original)), dim - 1);
  if (low == high) high += 0.001;  // as the reference implementation, against a division by zero
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const double interpolated = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] *= interpolated / scaling.factor + (1 - interpolated);
  }
}

}  // namespace

RopeFrequencies rope_frequencies(std::int64_t rotary_dim, double theta,
                                 const RopeScaling& scaling) {
  RopeFrequencies result;
  for (std::int64_t i = 0; i < rotary_dim / 2; ++i)
    result.inverse_frequency.push_back(
        std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(rotary_dim)));
  if (scaling.rope_type == "linear") {
    for (double& frequency : result.inverse_frequency) frequency /= scaling.factor;
  } else if (scaling.rope_type == "llama3") {
    for (double& frequency : result.inverse_frequency)
      frequency = llama3_frequency(frequency, scaling);
  } else if (scaling.rope_type == "yarn") {
    apply_yarn(result.inverse_frequency, theta, scaling);
    const bool given = scaling.attention_factor > 0;
    const double inferred = scaling.factor > 1 ? 0.1 * std::log(scaling.factor) + 1.0 : 1.0;
    result.attention_factor = given ? scaling.attention_factor : inferred;
  } else {
    expect(scaling.rope_type == "none", "unknown rope_type '", scaling.rope_type, "'");
  }
  return result;
}

RopeTables rope_tables(std::int64_t positions, const RopeFrequencies& frequencies, DType dtype) {
  const auto width = static_cast<std::int64_t>(frequencies.inverse_frequency.size());
  const RopeTables tables{Tensor::empty({positions, width}, dtype),
                          Tensor::empty({positions, width}, dtype)};
  dispatch_float(dtype, [&]<class T>() {
    T* cos = tables.cos.out().as<T>();
    T* sin = tables.sin.out().as<T>();
    for (std::int64_t position = 0; position < positions; ++position) {
      for (std::int64_t i = 0; i < width; ++i) {
        const double angle = static_cast<double>(position) * frequencies.inverse_frequency[i];
        cos[position * width + i] = static_cast<T>(
            static_cast<Accumulator<T>>(std::cos(angle) * frequencies.attention_factor));
        sin[position * width + i] = static_cast<T>(
            static_cast<Accumulator<T>>(std::sin(angle) * frequencies.attention_factor));
      }
    }
  });
  return tables;
}

}  // namespace boostr
