#pragma once

#include "kernels/kernel_table.h"
#include "ops/tensor.h"

namespace boostr {

/// y = x / (1 - p) where the element's random number is >= p, else 0 (arXiv 1207.0580). The numbers
/// are a function of `key` and the element's global index, so neither the mesh nor recomputation
/// changes them: give every call of a run another key.
Tensor dropout(const Tensor& x, double p, RandomKey key, GlobalIndex index = {});

}  // namespace boostr
