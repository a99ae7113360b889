#pragma once

#include <vector>

#include "models/llama_config.h"
#include "ops/tensor.h"

namespace boostr {

/// The rotation frequencies of each pair of dimensions, and the factor that cos and sin are
/// multiplied by.
struct RopeFrequencies {
  std::vector<double> inverse_frequency;  ///< [rotary_dim / 2]
  double attention_factor = 1.0;
};

/// theta^(-2 i / rotary_dim), stretched as `scaling` says:
/// - linear: divided by factor (arXiv 2306.15595);
/// - llama3: long wavelengths divided by factor, short ones kept, interpolated between (Llama 3.1
/// model card);
/// - yarn: NTK-by-parts with attention temperature (arXiv 2309.00071).
RopeFrequencies rope_frequencies(std::int64_t rotary_dim, double theta, const RopeScaling& scaling);

/// cos and sin of position * frequency, [positions, rotary_dim / 2], computed in f64 and kept in
/// `dtype`.
struct RopeTables {
  Tensor cos, sin;
};
RopeTables rope_tables(std::int64_t positions, const RopeFrequencies& frequencies, DType dtype);

}  // namespace boostr
