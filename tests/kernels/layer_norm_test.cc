#include <array>

#include "tests/reference/finite_difference.h"
#include "tests/reference/norm.h"
#include "tests/testing/levels.h"

namespace boostr::testing {
namespace {

constexpr double eps = 1e-5;

struct Case {
  const KernelTable& level;
  DType dtype;
  TestTensor x, weight, bias, dy;
  TestTensor mean, rstd;  ///< rounded from the reference, so that a gradient's test does not depend
                          ///< on the forward
};

/// Calls test(Case) for every level and type with `rows` rows of many widths.
template <class Test>
void for_each_case(std::int64_t rows, std::initializer_list<std::int64_t> widths, Test&& test) {
  for_each_level([&](const KernelTable& level) {
    for (DType dtype : float_types) {
      for (std::int64_t columns : widths) {
        SCOPED_TRACE(text(dtype, " [", rows, ", ", columns, "]"));
        Case c{level,
               dtype,
               TestTensor::normal(dtype, {rows, columns}, 1, 1.0, 0.5),
               TestTensor::uniform(dtype, {columns}, 2, 0.5, 1.5),
               TestTensor::normal(dtype, {columns}, 3),
               TestTensor::normal(dtype, {rows, columns}, 4),
               {},
               {}};
        const auto expected = reference::layer_norm(c.x.doubles(), c.weight.doubles(), {}, eps);
        c.mean = TestTensor::of(accumulator_of(dtype), {rows}, expected.mean);
        c.rstd = TestTensor::of(accumulator_of(dtype), {rows}, expected.rstd);
        test(c);
      }
    }
  });
}

/// y, mean, rstd.
std::array<TestTensor, 3> forward(const Case& c, const TestTensor& bias) {
  return same_on_any_threads([&](Stream& stream) {
    const DType acc = accumulator_of(c.dtype);
    const Shape rows{c.x.shape()[0]};
    std::array out{TestTensor(c.dtype, c.x.shape()), TestTensor(acc, rows), TestTensor(acc, rows)};
    c.level.layer_norm(stream, out[0], out[1], out[2], c.x, c.weight, bias, eps);
    return out;
  });
}

TEST(LayerNorm, MatchesTheReference) {
  for (std::int64_t rows : {1, 7, 200}) {
    for_each_case(rows, {1, 7, 33, 64, 257}, [](const Case& c) {
      const auto [y, mean, rstd] = forward(c, c.bias);
      const auto expected =
          reference::layer_norm(c.x.doubles(), c.weight.doubles(), c.bias.doubles(), eps);
      expect_close(y, expected.y);
      expect_close(mean, expected.mean);
      expect_close(rstd, expected.rstd);
    });
  }
}

TEST(LayerNorm, NeedsNoBias) {
  for_each_case(3, {33}, [](const Case& c) {
    expect_close(forward(c, {})[0],
                 reference::layer_norm(c.x.doubles(), c.weight.doubles(), {}, eps).y);
  });
}

TEST(LayerNorm, KeepsItsPrecisionFarFromZero) {
  for_each_level([](const KernelTable& level) {
    Stream stream;
    const auto x = TestTensor::normal(DType::f32, {1, 257}, 5, 1.0, 1000.0);
    TestTensor y(DType::f32, {1, 257}), mean(DType::f32, {1}), rstd(DType::f32, {1});
    const auto weight = TestTensor::filled(DType::f32, {257}, 1.0);
    level.layer_norm(stream, y, mean, rstd, x, weight, In{}, eps);
    expect_close(y, reference::layer_norm(x.doubles(), weight.doubles(), {}, eps).y, 5e-4);
  });
}

TEST(LayerNorm, GradientOfXMatchesFiniteDifferences) {
  for_each_case(5, {1, 7, 33, 100}, [](const Case& c) {
    const TestTensor dx = same_on_any_threads([&](Stream& stream) {
      TestTensor out(c.dtype, c.x.shape());
      c.level.layer_norm_grad_x(stream, out, c.dy, c.x, c.weight, c.mean, c.rstd);
      return out;
    });
    const auto y_of = [&](const std::vector<double>& x) {
      return reference::layer_norm(x, c.weight.doubles(), {}, eps).y;
    };
    const auto expected = reference::finite_difference(y_of, c.x.doubles(), c.dy.doubles());
    expect_close(dx, expected, c.dtype == DType::f64 ? 1e-8 : tolerance(c.dtype));
  });
}

TEST(LayerNorm, GradientOfXDoesNotDependOnTheThreads) {
  for_each_case(200, {257}, [](const Case& c) {
    same_on_any_threads([&](Stream& stream) {
      TestTensor dx(c.dtype, c.x.shape());
      c.level.layer_norm_grad_x(stream, dx, c.dy, c.x, c.weight, c.mean, c.rstd);
      return dx;
    });
  });
}

TEST(LayerNorm, GradientOfWeightMatchesFiniteDifferences) {
  for (std::int64_t rows : {1, 3, 130}) {
    for_each_case(rows, {1, 7, 33}, [&](const Case& c) {
      const auto y_of = [&](const std::vector<double>& w) {
        return reference::layer_norm(c.x.doubles(), w, {}, eps).y;
      };
      auto expected = reference::finite_difference(y_of, c.weight.doubles(), c.dy.doubles());
      for (bool accumulate : {false, true}) {
        const TestTensor dweight = same_on_any_threads([&](Stream& stream) {
          auto out = TestTensor::filled(accumulator_of(c.dtype), c.weight.shape(), 0.5);
          c.level.layer_norm_grad_weight(stream, out, c.dy, c.x, c.mean, c.rstd, accumulate);
          return out;
        });
        expect_close(dweight, expected, c.dtype == DType::f64 ? 1e-9 : 2e-5, 10.0);
        for (double& value : expected) value += 0.5;
      }
    });
  }
}

}  // namespace
}  // namespace boostr::testing
