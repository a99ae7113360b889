#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "ops/parameter.h"
#include "ops/tensor.h"

/// One harness for every differentiable op: op_test.cc states what must hold, the tests of an op
/// instantiate OpTest with its cases.
namespace boostr::testing {

using Doubles = std::vector<double>;

/// A differentiable input of an op, filled with N(mean, std^2).
struct OpInput {
  Shape shape;
  bool is_weight = false;  ///< a Parameter; otherwise data
  double std = 1.0;
  double mean = 0.0;
};

/// An op with sizes, and what it should compute.
struct OpCase {
  std::string name;  ///< letters, digits and underscores
  std::vector<OpInput> inputs;
  /// The op. Inputs without gradients are made inside, in the type that fits.
  std::function<Tensor(const std::vector<Tensor>&)> op;
  /// The same in naive double loops, on the flattened inputs.
  std::function<Doubles(const std::vector<Doubles>&)> reference;
  /// Factor on the tolerance of types below f64, for ops that round between two kernels.
  double slack = 1.0;
};

inline std::ostream& operator<<(std::ostream& out, const OpCase& c) { return out << c.name; }

class OpTest : public ::testing::TestWithParam<OpCase> {};

/// For INSTANTIATE_TEST_SUITE_P.
inline std::string case_name(const ::testing::TestParamInfo<OpCase>& info) {
  return info.param.name;
}

/// Seeded N(mean, std^2).
Doubles normal(std::int64_t count, std::uint64_t seed, double std = 1.0, double mean = 0.0);
/// `values` rounded to a float type.
Tensor tensor_of(const Shape& shape, std::span<const double> values, DType dtype);
Tensor normal_tensor(const Shape& shape, DType dtype, std::uint64_t seed, double std = 1.0);
Parameter parameter_of(const Shape& shape, std::span<const double> values, DType dtype);
Parameter normal_parameter(const Shape& shape, DType dtype, std::uint64_t seed, double std = 1.0);
/// The elements as doubles.
Doubles doubles_of(const Tensor& tensor);
/// The same type, shape and bits.
bool same_bits(const Tensor& a, const Tensor& b);

/// |actual - expected| <= relative * max(1, largest |expected|), elementwise.
void expect_near(std::span<const double> actual, std::span<const double> expected, double relative);

}  // namespace boostr::testing
