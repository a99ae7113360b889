#pragma once

#include "ops/tensor.h"

/// Moves of elements without gradients; see ops/cast.h for the differentiable cast.
namespace boostr {

/// y = x converted to y's type, in y's memory. The shapes have equally many elements. Between float
/// types, or the same type.
void copy_into(const Tensor& y, const Tensor& x);
/// y += factor * x; the float types may differ.
void add_into(const Tensor& y, const Tensor& x, double factor = 1.0);
/// Every element of y = value.
void fill(const Tensor& y, double value);
/// x itself if it has this type, else a converted copy; without the graph.
Tensor converted(const Tensor& x, DType dtype);

}  // namespace boostr
