#include "tests/ops/op_case.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "ops/copy.h"

namespace boostr::testing {

Doubles normal(std::int64_t count, std::uint64_t seed, double std, double mean) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> distribution(mean, std);
  Doubles values(static_cast<std::size_t>(count));
  std::ranges::generate(values, [&] { return distribution(generator); });
  return values;
}

Tensor tensor_of(const Shape& shape, std::span<const double> values, DType dtype) {
  return dispatch_float(dtype, [&]<class T>() {
    std::vector<T> rounded;
    for (double value : values) rounded.push_back(T(static_cast<Accumulator<T>>(value)));
    return Tensor::of(shape, rounded);
  });
}

Tensor normal_tensor(const Shape& shape, DType dtype, std::uint64_t seed, double std) {
  return tensor_of(shape, normal(shape.numel(), seed, std), dtype);
}

Parameter parameter_of(const Shape& shape, std::span<const double> values, DType dtype) {
  Parameter parameter(shape, dtype, {});
  const Tensor source = tensor_of(shape, values, dtype);
  std::memcpy(parameter.value().out().data, source.in().data, source.in().bytes());
  return parameter;
}

Parameter normal_parameter(const Shape& shape, DType dtype, std::uint64_t seed, double std) {
  return parameter_of(shape, normal(shape.numel(), seed, std), dtype);
}

Doubles doubles_of(const Tensor& tensor) {
  return dispatch_any(tensor.dtype(), [&]<class T>() {
    Doubles result;
    for (const T& value : tensor.values<T>())
      result.push_back(static_cast<double>(static_cast<Accumulator<T>>(value)));
    return result;
  });
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(a.in().data, b.in().data, a.in().bytes()) == 0;
}

void expect_near(std::span<const double> actual, std::span<const double> expected,
                 double relative) {
  ASSERT_EQ(actual.size(), expected.size());
  double scale = 1.0;
  for (double value : expected) scale = std::max(scale, std::abs(value));
  std::size_t worst = 0;
  double error = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double difference = std::abs(actual[i] - expected[i]);
    if (difference <= error) continue;  // false for NaN
    worst = i;
    error = difference;
    if (std::isnan(difference)) break;
  }
  EXPECT_LE(error, relative * scale)
      << "element " << worst << ": got " << actual[worst] << ", expected " << expected[worst];
}

}  // namespace boostr::testing
