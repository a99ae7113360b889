#pragma once

#include "kernels/kernel_table.h"
#include "ops/tensor.h"

namespace boostr {

/// softmax(scale q k^T + mask) v for every head, in O(S) memory (flash attention, arXiv
/// 2307.08691): q, y [B, S, H, D], k, v [B, S, G, D], H a multiple of G, one float type.
/// `documents` (i32 [B, S], non-decreasing along S, or undefined) hides keys of other documents;
/// AttentionOptions has the scale, causality and the sliding window.
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& documents,
                 const AttentionOptions& options);

}  // namespace boostr
