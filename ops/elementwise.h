#pragma once

#include "ops/tensor.h"

namespace boostr {

/// y = a + b and y = a * b, elementwise: one shape, one float type.
Tensor add(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
/// y[..., :] = x[..., :] + bias.
Tensor add_bias(const Tensor& x, const Tensor& bias);
/// y = factor * x.
Tensor scale(const Tensor& x, double factor);
/// y {1} = sum, or mean, of all elements, in the accumulator type and a fixed order.
Tensor sum(const Tensor& x);
Tensor mean(const Tensor& x);

/// factor * sum of all elements as f64 {1}, added in f64 and in a fixed order; no gradient flows.
Tensor sum_in_f64(const Tensor& x, double factor = 1.0);
/// y = factor * x in y's memory, which may be x's; the float types may differ; no gradient flows.
void scale_into(const Tensor& y, const Tensor& x, double factor);

}  // namespace boostr
