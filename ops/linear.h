#pragma once

#include "ops/tensor.h"

namespace boostr {

/// y = x weight^T + bias: x [..., K], weight [N, K] (as in Hugging Face checkpoints), bias [N] or
/// undefined, y [..., N], all of one float type. Gradients: dx = dy weight, dweight += dy^T x,
/// dbias += sum of the rows of dy.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace boostr
