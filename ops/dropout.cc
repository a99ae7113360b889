#include "ops/dropout.h"

#include "ops/autograd.h"
#include "ops/check.h"

namespace boostr {

Tensor dropout(const Tensor& x, double p, RandomKey key, GlobalIndex index) {
  expect_float("dropout", "x", x);
  expect(p >= 0 && p < 1, "dropout: p = ", p, " is not in [0, 1)");
  if (p == 0) return x;
  const auto drop = [=](const Tensor& from) {
    const Tensor to = Tensor::empty(from.shape(), from.dtype(), from.device());
    kernels(from.device())
        .dropout(current_stream(from.device()), to.out(), from.in(), key, index, p);
    return to;
  };
  return record("dropout", drop(x), {{x, drop}});
}

}  // namespace boostr
