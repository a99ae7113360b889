#pragma once

#include <cstdint>

#include "ops/tensor.h"

namespace boostr {

/// Rotary position embedding (arXiv 2104.09864): turns the pairs of x [B, S, H, D] by the angles
/// whose cosines and sines are in the tables [positions, R/2] (accumulator type, no gradient),
/// R <= D; the dimensions past R pass through. Pairs are (i, i + R/2), or (2i, 2i+1) if
/// `interleaved`. Sequence index 0 uses row `first_position` of the tables.
Tensor rope(const Tensor& x, const Tensor& cos, const Tensor& sin, bool interleaved = false,
            std::int64_t first_position = 0);

}  // namespace boostr
