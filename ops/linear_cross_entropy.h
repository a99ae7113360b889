#pragma once

#include <cstddef>

#include "ops/tensor.h"

namespace boostr {

/// The most bytes of logits that linear_cross_entropy holds at a time.
inline constexpr std::size_t default_logits_bytes = std::size_t{60} << 20;

/// cross_entropy(x weight^T, targets, scale) without ever holding all logits: x [..., K], weight
/// [V, K], targets i32 [...], loss f64 {1}. Goes through the tokens in chunks whose logits, kept in
/// the accumulator type, take at most `logits_bytes` (but at least one token). When recorded, the
/// same sweep computes dx and dweight for dloss = 1, in place of the logits; the backward scales
/// them. Otherwise it computes the loss only.
Tensor linear_cross_entropy(const Tensor& x, const Tensor& weight, const Tensor& targets,
                            double scale, std::size_t logits_bytes = default_logits_bytes);

}  // namespace boostr
