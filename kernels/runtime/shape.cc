#include "kernels/runtime/shape.h"

#include <algorithm>
#include <ostream>

#include "kernels/runtime/error.h"

namespace boostr {

Shape::Shape(std::initializer_list<std::int64_t> dims)
    : Shape(std::span<const std::int64_t>(dims.begin(), dims.size())) {}

Shape::Shape(std::span<const std::int64_t> dims) : num_dims_(static_cast<int>(dims.size())) {
  expect(dims.size() <= std::size_t(max_dims), "a shape has at most ", max_dims,
         " dimensions, got ", dims.size());
  std::ranges::copy(dims, dims_.begin());
}

std::int64_t Shape::numel() const {
  std::int64_t product = 1;
  for (std::int64_t size : dims()) product *= size;
  return product;
}

Shape Shape::with_back(std::int64_t size) const {
  expect(num_dims_ > 0, "a scalar has no last dimension to replace");
  Shape result = *this;
  result.dims_[num_dims_ - 1] = size;
  return result;
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int i = 0; i < shape.num_dims(); ++i) out << (i ? ", " : "") << shape[i];
  return out << ']';
}

}  // namespace boostr
