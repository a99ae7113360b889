#include "ops/matmul.h"

#include <algorithm>

#include "kernels/kernel_table.h"
#include "ops/autograd.h"
#include "ops/check.h"
#include "ops/copy.h"

namespace boostr {
namespace {

struct Factor {
  Tensor matrix;
  bool transposed;
  std::int64_t rows() const { return matrix.shape()[transposed ? -1 : -2]; }
  std::int64_t columns() const { return matrix.shape()[transposed ? -2 : -1]; }
  Factor transpose() const { return {matrix, !transposed}; }
};

/// The shape of a's batch with matrices [rows, columns].
Shape batch_of(const Tensor& a, std::int64_t rows, std::int64_t columns) {
  std::vector<std::int64_t> dims(a.shape().dims().begin(), a.shape().dims().end());
  dims[dims.size() - 2] = rows;
  dims[dims.size() - 1] = columns;
  return Shape(dims);
}

/// a b, in a tensor of type `dtype`.
Tensor product(const Factor& a, const Factor& b, DType dtype) {
  const Tensor c =
      Tensor::empty(batch_of(a.matrix, a.rows(), b.columns()), dtype, a.matrix.device());
  kernels(c.device())
      .gemm(current_stream(c.device()), c.out(), a.matrix.in(), b.matrix.in(), {},
            {.transpose_a = a.transposed, .transpose_b = b.transposed});
  return c;
}

/// The gradient of `a` in c = op(a) b, in a's own layout: d op(a) = dc b^T.
Tensor grad_left(const Tensor& dc, const Factor& a, const Factor& b) {
  const Factor d{converted(dc, b.matrix.dtype()), false};
  const DType dtype = gradient_dtype(a.matrix);
  return a.transposed ? product(b, d.transpose(), dtype) : product(d, b.transpose(), dtype);
}

/// The gradient of `b` in c = a op(b), in b's own layout: d op(b) = a^T dc.
Tensor grad_right(const Tensor& dc, const Factor& a, const Factor& b) {
  const Factor d{converted(dc, a.matrix.dtype()), false};
  const DType dtype = gradient_dtype(b.matrix);
  return b.transposed ? product(d.transpose(), a, dtype) : product(a.transpose(), d, dtype);
}

void check(const Factor& a, const Factor& b) {
  expect_float("matmul", "a", a.matrix);
  expect_dtype("matmul", "b", b.matrix, a.matrix.dtype());
  const Shape& left = a.matrix.shape();
  const Shape& right = b.matrix.shape();
  const int batch_dims = left.num_dims() - 2;
  const bool fits =
      batch_dims >= 0 && left.num_dims() == right.num_dims() &&
      std::ranges::equal(left.dims().first(batch_dims), right.dims().first(batch_dims)) &&
      a.columns() == b.rows();
  expect(fits, "matmul: a of shape ", left, a.transposed ? " (transposed)" : "", " and b of shape ",
         right, b.transposed ? " (transposed)" : "", " do not fit");
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  const Factor left{a, transpose_a};
  const Factor right{b, transpose_b};
  check(left, right);
  const Tensor c = product(left, right, a.dtype());
  return record("matmul", c,
                {{a, [=](const Tensor& dc) { return grad_left(dc, left, right); }},
                 {b, [=](const Tensor& dc) { return grad_right(dc, left, right); }}});
}

}  // namespace boostr
