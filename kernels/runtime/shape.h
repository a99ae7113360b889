#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>

namespace boostr {

/// The dimensions of a row-major tensor, outermost first. A scalar has none and one element.
class Shape {
 public:
  static constexpr int max_dims = 6;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims);
  explicit Shape(std::span<const std::int64_t> dims);

  int num_dims() const { return num_dims_; }
  /// Size of dimension i; negative i counts from the end.
  std::int64_t operator[](int i) const { return dims_[i < 0 ? num_dims_ + i : i]; }
  std::int64_t back() const { return num_dims_ ? dims_[num_dims_ - 1] : 1; }
  /// Product of all dimensions (1 for a scalar).
  std::int64_t numel() const;
  /// Product of all dimensions but the last: how many rows `back()` elements long.
  std::int64_t rows() const { return back() == 0 ? 0 : numel() / back(); }
  /// This shape with the last dimension replaced.
  Shape with_back(std::int64_t size) const;
  std::span<const std::int64_t> dims() const { return {dims_.data(), std::size_t(num_dims_)}; }

  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  std::array<std::int64_t, max_dims> dims_{};
  int num_dims_ = 0;
};

/// Prints "[2, 3]".
std::ostream& operator<<(std::ostream& out, const Shape& shape);

}  // namespace boostr
