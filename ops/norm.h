#pragma once

#include <vector>

#include "kernels/kernel_table.h"
#include "ops/tensor.h"

namespace boostr {

/// factor^2 * sum of squares of the elements [i * norm_chunk, (i + 1) * norm_chunk) of x, for every
/// i. Slices cut at multiples of norm_chunk have the whole's partials.
std::vector<double> sum_of_squares_partials(const Tensor& x, double factor = 1.0);
/// Those added up in their order.
double sum_of_squares(const Tensor& x, double factor = 1.0);
/// Whether no element is infinite or NaN.
bool all_finite(const Tensor& x);

}  // namespace boostr
