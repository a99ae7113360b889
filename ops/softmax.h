#pragma once

#include "ops/tensor.h"

namespace boostr {

/// y = exp(x) / sum(exp(x)) over the last dimension.
Tensor softmax(const Tensor& x);

}  // namespace boostr
