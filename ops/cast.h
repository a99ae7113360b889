#pragma once

#include "ops/tensor.h"

namespace boostr {

/// x converted to another float type; x itself if it has it. The gradient is converted back.
Tensor cast(const Tensor& x, DType dtype);

}  // namespace boostr
