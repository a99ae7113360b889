#pragma once

#include "ops/tensor.h"

namespace boostr {

/// y = (x - mean) / sqrt(variance + eps) * weight + bias over the last dimension (arXiv
/// 1607.06450): x, y [..., N], weight [N], bias [N] or undefined, one float type.
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps);

}  // namespace boostr
