#include "ops/elementwise.h"

#include "kernels/kernel_table.h"
#include "ops/autograd.h"
#include "ops/check.h"
#include "ops/copy.h"

namespace boostr {
namespace {

Tensor empty_like(const Tensor& x) { return Tensor::empty(x.shape(), x.dtype(), x.device()); }

Tensor product(const Tensor& a, const Tensor& b) {
  const Tensor y = empty_like(a);
  kernels(a.device()).mul(current_stream(a.device()), y.out(), a.in(), b.in());
  return y;
}

Tensor scaled(const Tensor& x, double factor) {
  const Tensor y = empty_like(x);
  scale_into(y, x, factor);
  return y;
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  expect_alike("add", a, b);
  const Tensor y = empty_like(a);
  kernels(a.device()).add(current_stream(a.device()), y.out(), a.in(), b.in());
  const auto same = [](const Tensor& dy) { return dy; };
  return record("add", y, {{a, same}, {b, same}});
}

Tensor add_bias(const Tensor& x, const Tensor& bias) {
  expect_float("add_bias", "x", x);
  expect_dtype("add_bias", "bias", bias, x.dtype());
  expect_shape("add_bias", "bias", bias, {x.shape().back()});
  const Tensor y = empty_like(x);
  kernels(x.device()).add(current_stream(x.device()), y.out(), x.in(), bias.in());
  const auto grad_bias = [](const Tensor& dy, const Tensor& grad, bool accumulate) {
    kernels(dy.device()).sum_rows(current_stream(dy.device()), grad.out(), dy.in(), accumulate);
  };
  return record("add_bias", y, {{x, [](const Tensor& dy) { return dy; }}, {bias, grad_bias}});
}

Tensor mul(const Tensor& a, const Tensor& b) {
  expect_alike("mul", a, b);
  return record("mul", product(a, b),
                {{a, [b](const Tensor& dy) { return product(converted(dy, b.dtype()), b); }},
                 {b, [a](const Tensor& dy) { return product(converted(dy, a.dtype()), a); }}});
}

Tensor scale(const Tensor& x, double factor) {
  expect_float("scale", "x", x);
  return record("scale", scaled(x, factor),
                {{x, [factor](const Tensor& dy) { return scaled(dy, factor); }}});
}

Tensor sum(const Tensor& x) {
  expect_float("sum", "x", x);
  const Tensor y = Tensor::empty({1}, accumulator_of(x.dtype()), x.device());
  kernels(x.device()).reduce(current_stream(x.device()), y.out(), x.in(), Reduction::sum);
  const auto spread = [shape = x.shape(), dtype = gradient_dtype(x)](const Tensor& dy) {
    return Tensor::full(shape, dtype, dy.item(), dy.device());
  };
  return record("sum", y, {{x, spread}});
}

Tensor mean(const Tensor& x) { return scale(sum(x), 1.0 / static_cast<double>(x.numel())); }

Tensor sum_in_f64(const Tensor& x, double factor) {
  const Tensor y = Tensor::empty({1}, DType::f64, x.device());
  kernels(x.device()).reduce(current_stream(x.device()), y.out(), x.in(), Reduction::sum);
  scale_into(y, y, factor);
  return y;
}

void scale_into(const Tensor& y, const Tensor& x, double factor) {
  expect(y.numel() == x.numel(), "scale_into: ", x.numel(), " elements do not fit shape ",
         y.shape());
  kernels(y.device()).scale(current_stream(y.device()), y.out(), x.in(), factor);
}

}  // namespace boostr
