#include <gtest/gtest.h>

#include "tests/kernels/attention_cases.h"

namespace boostr::testing {
namespace {

using AttentionGradOfType = AttentionOfType;
INSTANTIATE_TEST_SUITE_P(Types, AttentionGradOfType, ::testing::ValuesIn(float_types), type_name);

/// out and lse of the reference, rounded to the problem's types: what the backward pass is given.
std::vector<TestTensor> saved_output(const AttentionProblem& problem) {
  const auto y = reference::attention(problem.reference_input());
  return {TestTensor::of(problem.dtype(), problem.query_shape, y.out),
          TestTensor::of(problem.acc(), problem.lse_shape, y.lse)};
}

TEST_P(AttentionGradOfType, MatchesTheReference) {
  for_each_case([](const AttentionProblem& problem) {
    const auto expected =
        reference::attention_grad(problem.reference_input(), problem.dout.doubles());
    const auto y = saved_output(problem);
    for_each_level([&](const KernelTable& kernels) {
      const auto d =
          same_on_any_threads([&](Stream& stream) { return problem.backward(kernels, stream, y); });
      // rowsum(dout * out) inherits the rounding of out, so errors are those of somewhat larger
      // numbers.
      const double tol = tolerance(problem.dtype()), scale = 4;
      expect_close(d[0], expected.dq, tol, scale);
      expect_close(d[1], expected.dk, tol, scale);
      expect_close(d[2], expected.dv, tol, scale);
    });
  });
}

TEST(AttentionGrad, MatchesFiniteDifferences) {
  const AttentionCase cases[] = {{1, 5, 2, 1, 3},
                                 {1, 6, 1, 1, 2, false},
                                 {1, 7, 2, 2, 3, true, 3},
                                 {2, 6, 2, 1, 2, true, 0, 2}};
  for (const AttentionCase& c : cases) {
    SCOPED_TRACE(describe(c));
    AttentionProblem problem(c, DType::f64);
    for_each_level([&](const KernelTable& kernels) {
      Stream stream;
      const auto d = problem.backward(kernels, stream, problem.forward(kernels, stream));
      const auto objective = [&](TestTensor& x, std::int64_t i, double value) {
        const double kept = x.at(i);
        x.set(i, value);
        const auto out = problem.forward(kernels, stream)[0];
        x.set(i, kept);
        double sum = 0;
        for (std::int64_t n = 0; n < out.numel(); ++n) sum += out.at(n) * problem.dout.at(n);
        return sum;
      };
      TestTensor* inputs[] = {&problem.q, &problem.k, &problem.v};
      for (int input = 0; input < 3; ++input) {
        TestTensor& x = *inputs[input];
        for (std::int64_t i = 0; i < x.numel(); ++i) {
          const double h = 1e-5;
          const double slope =
              (objective(x, i, x.at(i) + h) - objective(x, i, x.at(i) - h)) / (2 * h);
          EXPECT_NEAR(d[input].at(i), slope, 1e-8) << "input " << input << ", element " << i;
        }
      }
    });
  }
}

TEST(AttentionGrad, StaysFiniteForVeryLargeScores) {
  for_each_level([](const KernelTable& kernels) {
    for (DType dtype : {DType::f32, DType::bf16, DType::f64}) {
      const AttentionProblem problem({1, 150, 2, 1, 16}, dtype, 1e6);
      Stream stream;
      for (const TestTensor& d :
           problem.backward(kernels, stream, problem.forward(kernels, stream))) {
        for (double value : d.doubles()) ASSERT_TRUE(std::isfinite(value)) << dtype;
      }
    }
  });
}

}  // namespace
}  // namespace boostr::testing
