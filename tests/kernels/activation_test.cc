#include "tests/reference/activation.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/testing/levels.h"

namespace boostr::testing {
namespace {

constexpr Activation kinds[] = {Activation::silu, Activation::gelu, Activation::gelu_tanh};
constexpr std::int64_t sizes[] = {1, 7, 33, 65, 5000};

/// Calls test(kernels, kind, dtype) for every level, activation and type.
template <class Test>
void for_each_case(Test&& test) {
  for_each_level([&](const KernelTable& kernels) {
    for (Activation kind : kinds) {
      for (DType dtype : float_types) {
        SCOPED_TRACE(text("activation ", int(kind), ", ", dtype));
        test(kernels, kind, dtype);
      }
    }
  });
}

template <class F>
std::vector<double> map(const TestTensor& x, F&& f) {
  std::vector<double> y;
  for (double value : x.doubles()) y.push_back(f(value));
  return y;
}

TEST(Activation, MatchesTheReference) {
  for_each_case([](const KernelTable& kernels, Activation kind, DType dtype) {
    for (std::int64_t size : sizes) {
      const auto x = TestTensor::normal(dtype, {size}, 1, 3.0);
      const auto y = same_on_any_threads([&](Stream& stream) {
        TestTensor out(dtype, {size});
        kernels.activation(stream, out, x, kind);
        return out;
      });
      expect_close(y, map(x, [&](double v) { return reference::activation(v, kind); }));
    }
  });
}

TEST(Activation, GradientMatchesTheReference) {
  for_each_case([](const KernelTable& kernels, Activation kind, DType dtype) {
    for (std::int64_t size : sizes) {
      const auto x = TestTensor::normal(dtype, {size}, 1, 3.0);
      const auto dy = TestTensor::normal(dtype, {size}, 2);
      const auto dx = same_on_any_threads([&](Stream& stream) {
        TestTensor out(dtype, {size});
        kernels.activation_grad(stream, out, dy, x, kind);
        return out;
      });
      std::vector<double> expected;
      for (std::int64_t i = 0; i < size; ++i)
        expected.push_back(dy.at(i) * reference::activation_slope(x.at(i), kind));
      expect_close(dx, expected);
    }
  });
}

TEST(Activation, ReferenceSlopeIsTheDerivative) {
  for (Activation kind : kinds) {
    for (double x = -6; x <= 6; x += 0.37) {
      const double h = 1e-5;
      const double difference =
          (reference::activation(x + h, kind) - reference::activation(x - h, kind)) / (2 * h);
      EXPECT_NEAR(reference::activation_slope(x, kind), difference, 1e-9) << x;
    }
  }
}

// The range is walked densely: absolute errors near one rounding of a result of the size of x.
TEST(Activation, IsAccurateToTheTypeOverTheWholeRange) {
  for_each_level([](const KernelTable& kernels) {
    for (Activation kind : kinds) {
      for (DType dtype : {DType::f32, DType::f64}) {
        SCOPED_TRACE(text("activation ", int(kind), ", ", dtype));
        std::vector<double> points;
        for (double x = -30; x <= 30; x += 0.01) points.push_back(x);
        const Shape shape{std::int64_t(points.size())};
        const auto x = TestTensor::of(dtype, shape, points);
        const auto ones = TestTensor::filled(dtype, shape, 1.0);
        TestTensor y(dtype, shape), slope(dtype, shape);
        Stream stream;
        kernels.activation(stream, y, x, kind);
        kernels.activation_grad(stream, slope, ones, x, kind);
        const double relative = dtype == DType::f32 ? 3e-7 : 1e-15;
        expect_close(y, map(x, [&](double v) { return reference::activation(v, kind); }), relative);
        expect_close(slope, map(x, [&](double v) { return reference::activation_slope(v, kind); }),
                     2 * relative);
      }
    }
  });
}

TEST(Activation, IsTheIdentityOrZeroForHugeInputsAndKeepsNan) {
  for_each_case([](const KernelTable& kernels, Activation kind, DType dtype) {
    const double huge = dtype == DType::f16 ? 6e4 : 1e30;
    const auto x = TestTensor::of(dtype, {3}, std::vector{huge, -huge, double(NAN)});
    const auto dy = TestTensor::filled(dtype, {3}, 1.0);
    TestTensor y(dtype, {3}), dx(dtype, {3});
    Stream stream;
    kernels.activation(stream, y, x, kind);
    kernels.activation_grad(stream, dx, dy, x, kind);
    EXPECT_EQ(y.at(0), x.at(0));
    EXPECT_EQ(y.at(1), 0.0);
    EXPECT_TRUE(std::isnan(y.at(2)));
    EXPECT_EQ(dx.at(0), 1.0);
    EXPECT_EQ(dx.at(1), 0.0);
    EXPECT_TRUE(std::isnan(dx.at(2)));
  });
}

TEST(GatedActivation, MatchesTheReference) {
  for_each_case([](const KernelTable& kernels, Activation kind, DType dtype) {
    const Shape shape{13, 65};
    const auto gate = TestTensor::normal(dtype, shape, 1, 2.0);
    const auto up = TestTensor::normal(dtype, shape, 2);
    const auto y = same_on_any_threads([&](Stream& stream) {
      TestTensor out(dtype, shape);
      kernels.gated_activation(stream, out, gate, up, kind);
      return out;
    });
    std::vector<double> expected;
    for (std::int64_t i = 0; i < shape.numel(); ++i)
      expected.push_back(reference::activation(gate.at(i), kind) * up.at(i));
    expect_close(y, expected);
  });
}

TEST(GatedActivation, GradientsMatchTheReference) {
  for_each_case([](const KernelTable& kernels, Activation kind, DType dtype) {
    const Shape shape{13, 65};
    const auto gate = TestTensor::normal(dtype, shape, 1, 2.0);
    const auto up = TestTensor::normal(dtype, shape, 2);
    const auto dy = TestTensor::normal(dtype, shape, 3);
    const auto gradients = same_on_any_threads([&](Stream& stream) {
      std::vector<TestTensor> out(2, TestTensor(dtype, shape));
      kernels.gated_activation_grad(stream, out[0], out[1], dy, gate, up, kind);
      return out;
    });
    std::vector<double> dgate, dup;
    for (std::int64_t i = 0; i < shape.numel(); ++i) {
      dgate.push_back(dy.at(i) * up.at(i) * reference::activation_slope(gate.at(i), kind));
      dup.push_back(dy.at(i) * reference::activation(gate.at(i), kind));
    }
    expect_close(gradients[0], dgate);
    expect_close(gradients[1], dup);
  });
}

}  // namespace
}  // namespace boostr::testing
