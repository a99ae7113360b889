#include "ops/rms_norm.h"

#include "kernels/kernel_table.h"
#include "ops/autograd.h"
#include "ops/check.h"
#include "ops/copy.h"

namespace boostr {
namespace {

Tensor grad_x(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rstd) {
  const Tensor dx = Tensor::empty(x.shape(), x.dtype(), x.device());
  kernels(x.device())
      .rms_norm_grad_x(current_stream(x.device()), dx.out(), converted(dy, x.dtype()).in(), x.in(),
                       weight.in(), rstd.in());
  return dx;
}

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps) {
  expect_float("rms_norm", "x", x);
  expect_dtype("rms_norm", "weight", weight, x.dtype());
  expect_shape("rms_norm", "weight", weight, {x.shape().back()});
  const Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  const Tensor rstd = Tensor::empty({x.shape().rows()}, accumulator_of(x.dtype()), x.device());
  kernels(x.device())
      .rms_norm(current_stream(x.device()), y.out(), rstd.out(), x.in(), weight.in(), eps);
  const auto grad_weight = [x, rstd](const Tensor& dy, const Tensor& grad, bool accumulate) {
    kernels(x.device())
        .rms_norm_grad_weight(current_stream(x.device()), grad.out(), converted(dy, x.dtype()).in(),
                              x.in(), rstd.in(), accumulate);
  };
  return record(
      "rms_norm", y,
      {{x, [=](const Tensor& dy) { return grad_x(dy, x, weight, rstd); }}, {weight, grad_weight}});
}

}  // namespace boostr
