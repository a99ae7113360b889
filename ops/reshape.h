#pragma once

#include "ops/tensor.h"

namespace boostr {

/// x's elements, in row-major order, under another shape with as many; shares bytes.
Tensor reshape(const Tensor& x, const Shape& shape);

}  // namespace boostr
