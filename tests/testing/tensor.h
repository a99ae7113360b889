#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "kernels/runtime/view.h"

/// Fixtures for kernel tests.
namespace boostr::testing {

/// Owns a row-contiguous tensor of any type and talks in doubles. The storage is aligned to the
/// element only, as views into a buffer may be, and lies between guard bytes: a kernel that writes
/// outside fails the test.
class TestTensor {
 public:
  /// An absent optional argument.
  TestTensor() = default;
  /// Holds NaN (integers: -1 or 255), so that an element a kernel forgot shows.
  TestTensor(DType dtype, Shape shape) : dtype_(dtype), shape_(shape) {
    storage_.assign(offset() + bytes() + guard_bytes, guard);
    for (std::int64_t i = 0; i < numel(); ++i) {
      set(i, is_float(dtype) ? std::numeric_limits<double>::quiet_NaN() : -1.0);
    }
  }
  TestTensor(const TestTensor&) = default;
  TestTensor& operator=(const TestTensor&) = default;
  ~TestTensor() {
    EXPECT_TRUE(guards_intact()) << "a kernel wrote outside a " << text(shape_) << " tensor";
  }

  /// `values` (one per element, or one for all) rounded to `dtype`.
  static TestTensor of(DType dtype, Shape shape, std::span<const double> values) {
    TestTensor tensor(dtype, shape);
    for (std::int64_t i = 0; i < tensor.numel(); ++i)
      tensor.set(i, values[values.size() == 1 ? 0 : i]);
    return tensor;
  }
  static TestTensor filled(DType dtype, Shape shape, double value) {
    return of(dtype, shape, {&value, 1});
  }
  static TestTensor normal(DType dtype, Shape shape, std::uint64_t seed, double std = 1.0,
                           double mean = 0.0) {
    return random(dtype, shape, seed, std::normal_distribution<double>(mean, std));
  }
  static TestTensor uniform(DType dtype, Shape shape, std::uint64_t seed, double low, double high) {
    return random(dtype, shape, seed, std::uniform_real_distribution<double>(low, high));
  }
  /// Whole numbers in [low, high], both included.
  static TestTensor integers(DType dtype, Shape shape, std::uint64_t seed, std::int64_t low,
                             std::int64_t high) {
    return random(dtype, shape, seed, std::uniform_int_distribution<std::int64_t>(low, high));
  }

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  std::int64_t numel() const { return storage_.empty() ? 0 : shape_.numel(); }
  std::size_t bytes() const { return std::size_t(shape_.numel()) * size_of(dtype_); }

  double at(std::int64_t i) const {
    return dispatch_any(dtype_, [&]<class T>() {
      T value;
      std::memcpy(&value, data() + i * std::int64_t(sizeof value), sizeof value);
      return static_cast<double>(static_cast<Wide<T>>(value));
    });
  }
  void set(std::int64_t i, double value) {
    dispatch_any(dtype_, [&]<class T>() {
      const T element = static_cast<T>(static_cast<Wide<T>>(value));
      std::memcpy(data() + i * std::int64_t(sizeof element), &element, sizeof element);
    });
  }
  std::vector<double> doubles() const {
    std::vector<double> values(static_cast<std::size_t>(numel()));
    for (std::int64_t i = 0; i < numel(); ++i) values[i] = at(i);
    return values;
  }

  In in() const { return storage_.empty() ? In{} : In{data(), dtype_, shape_}; }
  Out out() { return storage_.empty() ? Out{} : Out{data(), dtype_, shape_}; }
  operator In() const { return in(); }
  operator Out() { return out(); }

  /// The same type, shape and bits.
  friend bool operator==(const TestTensor& a, const TestTensor& b) {
    return a.dtype_ == b.dtype_ && a.shape_ == b.shape_ && a.storage_ == b.storage_;
  }
  /// GoogleTest prints this for tensors that differ.
  friend void PrintTo(const TestTensor& tensor, std::ostream* out) {
    *out << tensor.dtype_ << ' ' << tensor.shape_ << " {";
    for (std::int64_t i = 0; i < std::min<std::int64_t>(tensor.numel(), 32); ++i)
      *out << tensor.at(i) << ", ";
    *out << "...}";
  }

 private:
  /// Via float for the 16-bit types, through int64 for integers (a negative double to an unsigned
  /// type is undefined).
  template <class T>
  using Wide = std::conditional_t<std::is_integral_v<T>, std::int64_t, Accumulator<T>>;
  static constexpr std::size_t guard_bytes = 64;
  static constexpr unsigned char guard = 0xa5;

  template <class Distribution>
  static TestTensor random(DType dtype, Shape shape, std::uint64_t seed,
                           Distribution distribution) {
    TestTensor tensor(dtype, shape);
    std::mt19937_64 generator(seed);
    for (std::int64_t i = 0; i < tensor.numel(); ++i)
      tensor.set(i, double(distribution(generator)));
    return tensor;
  }
  std::size_t offset() const { return guard_bytes + size_of(dtype_); }
  unsigned char* data() { return storage_.data() + offset(); }
  const unsigned char* data() const { return storage_.data() + offset(); }
  bool guards_intact() const {
    for (std::size_t i = 0; i < storage_.size(); ++i) {
      const bool inside = i >= offset() && i < offset() + bytes();
      if (!inside && storage_[i] != guard) return false;
    }
    return true;
  }

  DType dtype_ = DType::f32;
  Shape shape_;
  std::vector<unsigned char> storage_;
};

/// The storage types that kernels compute in.
inline constexpr DType float_types[] = {DType::f32, DType::bf16, DType::f16, DType::f64};

/// How far a kernel's result in `dtype` may lie from the f64 reference on the same (rounded)
/// inputs, relative to max(1, |expected|): a few roundings of the storage type, and of the f32
/// (f64) arithmetic for sums of up to about 1000.
inline double tolerance(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return 1e-12;
    case DType::f32:
      return 2e-5;
    case DType::f16:
      return 1.5e-3;
    case DType::bf16:
      return 1e-2;
    default:
      return 0.0;
  }
}

/// Checks |actual - expected| <= relative * max(scale, |expected|) elementwise, and reports the
/// worst element. `scale` is the size of the terms that were added, where they are larger than 1.
inline void expect_close(const TestTensor& actual, std::span<const double> expected,
                         double relative, double scale = 1.0) {
  ASSERT_EQ(std::size_t(actual.numel()), expected.size());
  double worst = 0.0;
  std::int64_t at = -1;
  for (std::int64_t i = 0; i < actual.numel(); ++i) {
    const double want = expected[i], got = actual.at(i);
    if (got == want || (std::isnan(got) && std::isnan(want))) continue;
    const double error = std::abs(got - want) / std::max(scale, std::abs(want));
    if (error <= worst) continue;  // NaN is not <=
    worst = error;
    at = i;
    if (std::isnan(error)) break;
  }
  EXPECT_LE(worst, relative) << "element " << at << " of " << actual.dtype() << ' '
                             << actual.shape() << ": got " << (at < 0 ? 0.0 : actual.at(at))
                             << ", expected " << (at < 0 ? 0.0 : expected[at]);
}
/// With the tolerance of the tensor's type.
inline void expect_close(const TestTensor& actual, std::span<const double> expected) {
  expect_close(actual, expected, tolerance(actual.dtype()));
}

}  // namespace boostr::testing
