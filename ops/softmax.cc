#include "ops/softmax.h"

#include "kernels/kernel_table.h"
#include "ops/autograd.h"
#include "ops/check.h"
#include "ops/copy.h"

namespace boostr {

Tensor softmax(const Tensor& x) {
  expect_float("softmax", "x", x);
  const Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  kernels(x.device()).softmax(current_stream(x.device()), y.out(), x.in());
  const auto grad_x = [y](const Tensor& dy) {
    const Tensor dx = Tensor::empty(y.shape(), y.dtype(), y.device());
    kernels(y.device())
        .softmax_grad(current_stream(y.device()), dx.out(), converted(dy, y.dtype()).in(), y.in());
    return dx;
  };
  return record("softmax", y, {{x, grad_x}}, Side::derived, {y});
}

}  // namespace boostr
