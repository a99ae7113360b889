#pragma once

#include "kernels/kernel_table.h"
#include "ops/tensor.h"

namespace boostr {

/// x ~ N(mean, std^2), elements numbered by their global index (see RandomKey and GlobalIndex), so
/// a shard gets the numbers that the whole would have there.
void fill_normal(const Tensor& x, RandomKey key, GlobalIndex index = {}, double mean = 0.0,
                 double std = 1.0);
/// x ~ U[low, high).
void fill_uniform(const Tensor& x, RandomKey key, GlobalIndex index = {}, double low = 0.0,
                  double high = 1.0);

}  // namespace boostr
