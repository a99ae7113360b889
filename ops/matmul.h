#pragma once

#include "ops/tensor.h"

namespace boostr {

/// c = op(a) op(b) over the last two dimensions, where op transposes them if asked to: op(a)
/// [..., M, K], op(b) [..., K, N], c [..., M, N]. The leading dimensions are a batch, equal in a
/// and b. One float type.
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);

}  // namespace boostr
