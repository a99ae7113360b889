#include "ops/cast.h"

#include "ops/autograd.h"
#include "ops/check.h"
#include "ops/copy.h"

namespace boostr {

Tensor cast(const Tensor& x, DType dtype) {
  expect_float("cast", "x", x);
  if (x.dtype() == dtype) return x;
  const auto back = [before = gradient_dtype(x)](const Tensor& dy) {
    return converted(dy, before);
  };
  return record("cast", converted(x, dtype), {{x, back}});
}

}  // namespace boostr
