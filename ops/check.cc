#include "ops/check.h"

namespace boostr {
namespace {

void expect_defined(std::string_view op, std::string_view argument, const Tensor& x) {
  expect(x.defined(), op, ": ", argument, " is undefined");
}

}  // namespace

void expect_float(std::string_view op, std::string_view argument, const Tensor& x) {
  expect_defined(op, argument, x);
  expect(is_float(x.dtype()), op, ": ", argument, " holds ", x.dtype(),
         ", expected a floating-point type");
}

void expect_dtype(std::string_view op, std::string_view argument, const Tensor& x, DType dtype) {
  expect_defined(op, argument, x);
  expect(x.dtype() == dtype, op, ": ", argument, " holds ", x.dtype(), ", expected ", dtype);
}

void expect_shape(std::string_view op, std::string_view argument, const Tensor& x,
                  const Shape& shape) {
  expect_defined(op, argument, x);
  expect(x.shape() == shape, op, ": ", argument, " has shape ", x.shape(), ", expected ", shape);
}

void expect_alike(std::string_view op, const Tensor& a, const Tensor& b) {
  expect_float(op, "the first input", a);
  expect_dtype(op, "the second input", b, a.dtype());
  expect_shape(op, "the second input", b, a.shape());
}

}  // namespace boostr
