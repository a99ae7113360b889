#include "tests/reference/softmax.h"

#include <gtest/gtest.h>

#include "tests/testing/levels.h"

namespace boostr::testing {
namespace {

constexpr std::int64_t widths[] = {1, 7, 33, 65, 1000};

template <class Test>
void for_each_case(Test&& test) {
  for_each_level([&](const KernelTable& kernels) {
    for (DType dtype : float_types) {
      for (std::int64_t width : widths) {
        SCOPED_TRACE(text(dtype, ", width ", width));
        test(kernels, dtype, Shape{3, 5, width});
      }
    }
  });
}

TEST(Softmax, MatchesTheReference) {
  for_each_case([](const KernelTable& kernels, DType dtype, Shape shape) {
    const auto x = TestTensor::normal(dtype, shape, 1, 4.0);
    const auto y = same_on_any_threads([&](Stream& stream) {
      TestTensor out(dtype, shape);
      kernels.softmax(stream, out, x);
      return out;
    });
    expect_close(y, reference::softmax(x.doubles(), shape.back()));
  });
}

TEST(Softmax, GradientMatchesTheReference) {
  for_each_case([](const KernelTable& kernels, DType dtype, Shape shape) {
    const auto dy = TestTensor::normal(dtype, shape, 1);
    const auto y = TestTensor::of(
        dtype, shape,
        reference::softmax(TestTensor::normal(dtype, shape, 2).doubles(), shape.back()));
    const auto dx = same_on_any_threads([&](Stream& stream) {
      TestTensor out(dtype, shape);
      kernels.softmax_grad(stream, out, dy, y);
      return out;
    });
    expect_close(dx, reference::softmax_grad(dy.doubles(), y.doubles(), shape.back()));
  });
}

TEST(Softmax, GradientMatchesFiniteDifferences) {
  for_each_level([](const KernelTable& kernels) {
    const Shape shape{2, 7};
    auto x = TestTensor::normal(DType::f64, shape, 1);
    const auto dy = TestTensor::normal(DType::f64, shape, 2);
    Stream stream;
    TestTensor y(DType::f64, shape), dx(DType::f64, shape);
    kernels.softmax(stream, y, x);
    kernels.softmax_grad(stream, dx, dy, y);
    const auto objective = [&](std::int64_t i, double shift) {
      auto moved = x;
      moved.set(i, x.at(i) + shift);
      kernels.softmax(stream, y, moved);
      double sum = 0;
      for (std::int64_t k = 0; k < y.numel(); ++k) sum += y.at(k) * dy.at(k);
      return sum;
    };
    for (std::int64_t i = 0; i < x.numel(); ++i)
      EXPECT_NEAR(dx.at(i), (objective(i, 1e-5) - objective(i, -1e-5)) / 2e-5, 1e-9);
  });
}

// Beside 0, an element x becomes e^x / (1 + e^x): below -17 that is e^x itself.
TEST(Softmax, ExponentialIsAccurateToItsSmallestSubnormals) {
  for_each_level([](const KernelTable& kernels) {
    std::vector<double> values;
    for (double x = 0; x > -110; x -= 0.0037) values.insert(values.end(), {0.0, x});
    const Shape shape{std::int64_t(values.size() / 2), 2};
    const auto x = TestTensor::of(DType::f32, shape, values);
    TestTensor y(DType::f32, shape);
    Stream stream;
    kernels.softmax(stream, y, x);
    for (std::int64_t i = 1; i < x.numel(); i += 2) {
      const double e = std::exp(x.at(i)), expected = e / (1 + e);
      ASSERT_NEAR(y.at(i), expected, 2e-7 * expected + 0x1p-149) << x.at(i);
    }
  });
}

TEST(Softmax, ExponentialsBelowTheRangeAreZeroAndNanSpreads) {
  for_each_level([](const KernelTable& kernels) {
    for (const double x : {-105.0, -1e4, -3e38, -std::numeric_limits<double>::infinity()}) {
      TestTensor y(DType::f32, {1, 2});
      Stream stream;
      kernels.softmax(stream, y, TestTensor::of(DType::f32, {1, 2}, std::vector{0.0, x}));
      EXPECT_EQ(y.doubles(), (std::vector{1.0, 0.0})) << x;
    }
    for (const std::int64_t at : {0, 17, 36}) {
      auto x = TestTensor::filled(DType::f32, {1, 37}, 1.0);
      x.set(at, std::nan(""));
      TestTensor y(DType::f32, {1, 37});
      Stream stream;
      kernels.softmax(stream, y, x);
      for (const double value : y.doubles()) EXPECT_TRUE(std::isnan(value)) << at;
    }
  });
}

TEST(Softmax, SurvivesHugeAndMaskedInputs) {
  for_each_level([](const KernelTable& kernels) {
    const double inf = std::numeric_limits<double>::infinity();
    const std::vector<double> values{1e30, 1e30, -1e30, -inf};
    TestTensor y(DType::f32, {1, 4});
    Stream stream;
    kernels.softmax(stream, y, TestTensor::of(DType::f32, {1, 4}, values));
    EXPECT_EQ(y.doubles(), (std::vector{0.5, 0.5, 0.0, 0.0}));
  });
}

}  // namespace
}  // namespace boostr::testing
