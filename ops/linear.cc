#include "ops/linear.h"

#include "kernels/kernel_table.h"
#include "ops/autograd.h"
#include "ops/check.h"
#include "ops/copy.h"

// T tokens (all but the last dimension of x), K inputs, N outputs.
namespace boostr {
namespace {

/// x [..., N] seen as the matrix [T, N].
Tensor as_rows(const Tensor& x) { return x.view({x.shape().rows(), x.shape().back()}); }

void gemm(const Tensor& c, const Tensor& a, const Tensor& b, const Tensor& bias,
          GemmOptions options) {
  kernels(c.device())
      .gemm(current_stream(c.device()), c.out(), a.in(), b.in(), bias.defined() ? bias.in() : In{},
            options);
}

void add_grad_x(const Tensor& dy, const Tensor& weight, const Tensor& grad, bool accumulate) {
  gemm(as_rows(grad), as_rows(converted(dy, weight.dtype())), weight, {},
       {.accumulate = accumulate});
}

void add_grad_weight(const Tensor& dy, const Tensor& x, const Tensor& grad, bool accumulate) {
  gemm(grad, as_rows(converted(dy, x.dtype())), as_rows(x), {},
       {.transpose_a = true, .accumulate = accumulate});
}

void add_grad_bias(const Tensor& dy, const Tensor& grad, bool accumulate) {
  kernels(dy.device())
      .sum_rows(current_stream(dy.device()), grad.out(), as_rows(dy).in(), accumulate);
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  expect_float("linear", "x", x);
  expect_dtype("linear", "weight", weight, x.dtype());
  expect(weight.shape().num_dims() == 2 && weight.shape()[1] == x.shape().back(),
         "linear: weight has shape ", weight.shape(), ", expected [N, ", x.shape().back(),
         "] for x of shape ", x.shape());
  const std::int64_t n = weight.shape()[0];
  if (bias.defined()) {
    expect_dtype("linear", "bias", bias, x.dtype());
    expect_shape("linear", "bias", bias, {n});
  }
  const Tensor y = Tensor::empty(x.shape().with_back(n), x.dtype(), x.device());
  gemm(as_rows(y), as_rows(x), weight, bias, {.transpose_b = true});
  return record(
      "linear", y,
      {Edge::of_product(x, [=](const Tensor& dy, const Tensor& grad,
                               bool accumulate) { add_grad_x(dy, weight, grad, accumulate); }),
       Edge::of_product(weight, [=](const Tensor& dy, const Tensor& grad,
                                    bool accumulate) { add_grad_weight(dy, x, grad, accumulate); }),
       {bias, add_grad_bias}});
}

}  // namespace boostr
