#include "ops/reshape.h"

#include "ops/autograd.h"

namespace boostr {

Tensor reshape(const Tensor& x, const Shape& shape) {
  const auto back = [before = x.shape()](const Tensor& dy) { return dy.view(before); };
  return record("reshape", x.view(shape), {{x, back}});
}

}  // namespace boostr
