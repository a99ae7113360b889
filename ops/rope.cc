#include "ops/rope.h"

#include "kernels/kernel_table.h"
#include "ops/autograd.h"
#include "ops/check.h"
#include "ops/copy.h"

namespace boostr {
namespace {

Tensor rotated(const Tensor& x, const Tensor& cos, const Tensor& sin, RopeOptions options) {
  const Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  kernels(x.device())
      .rope(current_stream(x.device()), y.out(), x.in(), cos.in(), sin.in(), options);
  return y;
}

void check(const Tensor& x, const Tensor& cos, const Tensor& sin, std::int64_t first_position) {
  expect_float("rope", "x", x);
  expect(x.shape().num_dims() == 4, "rope: x has shape ", x.shape(), ", expected [B, S, H, D]");
  expect_dtype("rope", "cos", cos, accumulator_of(x.dtype()));
  expect_dtype("rope", "sin", sin, accumulator_of(x.dtype()));
  expect_shape("rope", "sin", sin, cos.shape());
  expect(cos.shape().num_dims() == 2 && 2 * cos.shape()[1] <= x.shape()[3], "rope: cos has shape ",
         cos.shape(), ", expected [positions, R/2] with R <= ", x.shape()[3]);
  expect(first_position >= 0 && first_position + x.shape()[1] <= cos.shape()[0],
         "rope: positions [", first_position, ", ", first_position + x.shape()[1],
         ") are not all in the tables, which have ", cos.shape()[0]);
}

}  // namespace

Tensor rope(const Tensor& x, const Tensor& cos, const Tensor& sin, bool interleaved,
            std::int64_t first_position) {
  check(x, cos, sin, first_position);
  RopeOptions options{.interleaved = interleaved, .first_position = first_position};
  const Tensor y = rotated(x, cos, sin, options);
  options.inverse = true;
  const DType dtype = x.dtype();
  const auto grad_x = [=](const Tensor& dy) {
    return rotated(converted(dy, dtype), cos, sin, options);
  };
  return record("rope", y, {{x, grad_x}}, Side::derived, {cos, sin});
}

}  // namespace boostr
