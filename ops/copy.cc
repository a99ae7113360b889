#include "ops/copy.h"

#include "kernels/kernel_table.h"

namespace boostr {
namespace {

void expect_same_numel(const char* op, const Tensor& y, const Tensor& x) {
  expect(y.numel() == x.numel(), op, ": ", x.numel(), " elements of shape ", x.shape(),
         " do not fit shape ", y.shape());
}

}  // namespace

void copy_into(const Tensor& y, const Tensor& x) {
  expect_same_numel("copy_into", y, x);
  kernels(y.device()).cast(current_stream(y.device()), y.out(), x.in());
}

void add_into(const Tensor& y, const Tensor& x, double factor) {
  expect_same_numel("add_into", y, x);
  kernels(y.device()).axpy(current_stream(y.device()), y.out(), x.in(), factor);
}

void fill(const Tensor& y, double value) {
  kernels(y.device()).fill(current_stream(y.device()), y.out(), value);
}

Tensor converted(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x.detach();
  const Tensor y = Tensor::empty(x.shape(), dtype, x.device());
  copy_into(y, x);
  return y;
}

}  // namespace boostr
