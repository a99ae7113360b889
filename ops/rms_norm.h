#pragma once

#include "ops/tensor.h"

namespace boostr {

/// y = x / sqrt(mean(x^2) + eps) * weight over the last dimension (arXiv 1910.07467): x, y [...,
/// N], weight [N], one float type.
Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps);

}  // namespace boostr
