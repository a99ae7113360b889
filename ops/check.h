#pragma once

#include <string_view>

#include "ops/tensor.h"

/// What ops check of their arguments; each throws an internal Error that names op, argument and
/// numbers.
namespace boostr {

/// `x` is defined and of a floating-point type.
void expect_float(std::string_view op, std::string_view argument, const Tensor& x);
/// `x` is defined and of type `dtype`.
void expect_dtype(std::string_view op, std::string_view argument, const Tensor& x, DType dtype);
/// `x` is defined and has this shape.
void expect_shape(std::string_view op, std::string_view argument, const Tensor& x,
                  const Shape& shape);
/// `a` and `b` are of one floating-point type and of one shape.
void expect_alike(std::string_view op, const Tensor& a, const Tensor& b);

}  // namespace boostr
