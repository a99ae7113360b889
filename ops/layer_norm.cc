#include "ops/layer_norm.h"

#include "kernels/kernel_table.h"
#include "ops/autograd.h"
#include "ops/check.h"
#include "ops/copy.h"

namespace boostr {
namespace {

/// The mean and 1 / standard deviation of each row.
struct Statistics {
  Tensor mean, rstd;
};

Tensor grad_x(const Tensor& dy, const Tensor& x, const Tensor& weight, const Statistics& row) {
  const Tensor dx = Tensor::empty(x.shape(), x.dtype(), x.device());
  kernels(x.device())
      .layer_norm_grad_x(current_stream(x.device()), dx.out(), converted(dy, x.dtype()).in(),
                         x.in(), weight.in(), row.mean.in(), row.rstd.in());
  return dx;
}

void add_grad_bias(const Tensor& dy, const Tensor& grad, bool accumulate) {
  const Tensor rows = dy.view({dy.shape().rows(), dy.shape().back()});
  kernels(dy.device()).sum_rows(current_stream(dy.device()), grad.out(), rows.in(), accumulate);
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  expect_float("layer_norm", "x", x);
  expect_dtype("layer_norm", "weight", weight, x.dtype());
  expect_shape("layer_norm", "weight", weight, {x.shape().back()});
  if (bias.defined()) {
    expect_dtype("layer_norm", "bias", bias, x.dtype());
    expect_shape("layer_norm", "bias", bias, {x.shape().back()});
  }
  const Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  const DType acc = accumulator_of(x.dtype());
  const Statistics row{Tensor::empty({x.shape().rows()}, acc, x.device()),
                       Tensor::empty({x.shape().rows()}, acc, x.device())};
  kernels(x.device())
      .layer_norm(current_stream(x.device()), y.out(), row.mean.out(), row.rstd.out(), x.in(),
                  weight.in(), bias.defined() ? bias.in() : In{}, eps);
  const auto grad_weight = [x, row](const Tensor& dy, const Tensor& grad, bool accumulate) {
    kernels(x.device())
        .layer_norm_grad_weight(current_stream(x.device()), grad.out(),
                                converted(dy, x.dtype()).in(), x.in(), row.mean.in(), row.rstd.in(),
                                accumulate);
  };
  return record("layer_norm", y,
                {{x, [=](const Tensor& dy) { return grad_x(dy, x, weight, row); }},
                 {weight, grad_weight},
                 {bias, add_grad_bias}});
}

}  // namespace boostr
