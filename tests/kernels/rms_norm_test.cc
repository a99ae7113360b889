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
  TestTensor x, weight, dy;
  TestTensor rstd;  ///< rounded from the reference, so that a gradient's test does not depend on
                    ///< the forward
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
               TestTensor::normal(dtype, {rows, columns}, 3),
               {}};
        const auto expected = reference::rms_norm(c.x.doubles(), c.weight.doubles(), eps);
        c.rstd = TestTensor::of(accumulator_of(dtype), {rows}, expected.rstd);
        test(c);
      }
    }
  });
}

TEST(RmsNorm, MatchesTheReference) {
  for (std::int64_t rows : {1, 7, 200}) {
    for_each_case(rows, {1, 7, 33, 64, 257}, [&](const Case& c) {
      const auto [y, rstd] = same_on_any_threads([&](Stream& stream) {
        std::array out{TestTensor(c.dtype, c.x.shape()),
                       TestTensor(accumulator_of(c.dtype), {rows})};
        c.level.rms_norm(stream, out[0], out[1], c.x, c.weight, eps);
        return out;
      });
      const auto expected = reference::rms_norm(c.x.doubles(), c.weight.doubles(), eps);
      expect_close(y, expected.y);
      expect_close(rstd, expected.rstd);
    });
  }
}

TEST(RmsNorm, GradientOfXMatchesFiniteDifferences) {
  for_each_case(5, {1, 7, 33, 100}, [](const Case& c) {
    const TestTensor dx = same_on_any_threads([&](Stream& stream) {
      TestTensor out(c.dtype, c.x.shape());
      c.level.rms_norm_grad_x(stream, out, c.dy, c.x, c.weight, c.rstd);
      return out;
    });
    const auto forward = [&](const std::vector<double>& x) {
      return reference::rms_norm(x, c.weight.doubles(), eps).y;
    };
    const auto expected = reference::finite_difference(forward, c.x.doubles(), c.dy.doubles());
    expect_close(dx, expected, c.dtype == DType::f64 ? 1e-8 : tolerance(c.dtype));
  });
}

TEST(RmsNorm, GradientOfXDoesNotDependOnTheThreads) {
  for_each_case(200, {257}, [](const Case& c) {
    same_on_any_threads([&](Stream& stream) {
      TestTensor dx(c.dtype, c.x.shape());
      c.level.rms_norm_grad_x(stream, dx, c.dy, c.x, c.weight, c.rstd);
      return dx;
    });
  });
}

TEST(RmsNorm, GradientOfWeightMatchesFiniteDifferences) {
  for (std::int64_t rows : {1, 3, 130}) {
    for_each_case(rows, {1, 7, 33}, [&](const Case& c) {
      const auto forward = [&](const std::vector<double>& w) {
        return reference::rms_norm(c.x.doubles(), w, eps).y;
      };
      auto expected = reference::finite_difference(forward, c.weight.doubles(), c.dy.doubles());
      for (bool accumulate : {false, true}) {
        const TestTensor dweight = same_on_any_threads([&](Stream& stream) {
          auto out = TestTensor::filled(accumulator_of(c.dtype), c.weight.shape(), 0.5);
          c.level.rms_norm_grad_weight(stream, out, c.dy, c.x, c.rstd, accumulate);
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
