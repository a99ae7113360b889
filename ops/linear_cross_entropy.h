#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "ops/tensor.h"

namespace boostr {

/// The most bytes of logits that linear_cross_entropy holds at a time.
inline constexpr std::size_t default_logits_bytes = std::size_t{60} << 20;

/// Where the weight holds a part of the vocabulary: rows first_class, first_class + 1, ...
struct VocabularyPart {
  std::int64_t first_class = 0;
  /// statistics[t, :] = those of all parts together (kernel_table.h: cross_entropy_statistics says
  /// of what); called in the forward, for one chunk of tokens after the other. Unset: the weight
  /// holds the whole vocabulary.
  std::function<void(const Tensor& statistics)> combine;
};

/// cross_entropy(x weight^T, targets, scale) without ever holding all logits: x [..., K], weight
/// [V, K], targets i32 [...], loss f64 {1}. Goes through the tokens in chunks whose logits, kept in
/// the accumulator type, take at most `logits_bytes` (but at least one token). When recorded, the
/// same sweep computes dx and dweight for dloss = 1, in place of the logits; the backward scales
/// them. Otherwise it computes the loss only. Of a part of the vocabulary the loss is that of the
/// whole, and dx what this part contributes to it.
Tensor linear_cross_entropy(const Tensor& x, const Tensor& weight, const Tensor& targets,
                            double scale, const VocabularyPart& part = {},
                            std::size_t logits_bytes = default_logits_bytes);

}  // namespace boostr
