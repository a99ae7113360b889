#include <gtest/gtest.h>

#include <vector>

#include "tests/reference/softmax.h"
#include "tests/testing/levels.h"

namespace boostr::testing {
namespace {

constexpr std::int64_t rows = 6;

struct Problem {
  TestTensor logits, targets;
  DType acc() const { return accumulator_of(logits.dtype()); }
  std::int64_t width() const { return logits.shape().back(); }
  reference::CrossEntropy expected() const {
    return reference::cross_entropy(logits.doubles(), targets.doubles(), std::size_t(width()));
  }
};

/// Random logits; row 2 is ignored.
Problem problem(DType dtype, std::int64_t vocabulary) {
  Problem p{TestTensor::normal(dtype, {rows, vocabulary}, 1, 3.0),
            TestTensor::integers(DType::i32, {rows}, 2, 0, vocabulary - 1)};
  p.targets.set(2, -100);
  return p;
}

/// {loss, dlogits}; the gradient has type `gradient`.
std::vector<TestTensor> run(const KernelTable& kernels, Stream& stream, const Problem& p,
                            DType gradient) {
  std::vector<TestTensor> out{TestTensor(p.acc(), {rows}), TestTensor(gradient, p.logits.shape())};
  kernels.cross_entropy(stream, out[0], out[1], p.logits, p.targets);
  return out;
}

// Widths around the vectors and around the pieces that a row is read in.
TEST(CrossEntropy, LossAndGradientMatchTheReference) {
  for_each_level([](const KernelTable& kernels) {
    for (DType dtype : float_types) {
      for (std::int64_t vocabulary : {1, 7, 33, 65, 2048, 4999}) {
        SCOPED_TRACE(text(dtype, ", vocabulary ", vocabulary));
        const Problem p = problem(dtype, vocabulary);
        const auto actual =
            same_on_any_threads([&](Stream& stream) { return run(kernels, stream, p, dtype); });
        const auto expected = p.expected();
        expect_close(actual[0], expected.loss, tolerance(p.acc()));
        expect_close(actual[1], expected.dlogits);
      }
    }
  });
}

TEST(CrossEntropy, GradientMayReplaceTheLogits) {
  for_each_level([](const KernelTable& kernels) {
    for (DType dtype : float_types) {
      Problem p = problem(dtype, 3001);
      Stream stream;
      const auto apart = run(kernels, stream, p, dtype);
      TestTensor loss(p.acc(), {rows});
      kernels.cross_entropy(stream, loss, p.logits, p.logits, p.targets);
      EXPECT_EQ(loss, apart[0]);
      EXPECT_EQ(p.logits, apart[1]);
    }
  });
}

TEST(CrossEntropy, GradientMayBeNarrowerThanTheLogits) {
  for_each_level([](const KernelTable& kernels) {
    const Problem p = problem(DType::f32, 65);
    Stream stream;
    const auto actual = run(kernels, stream, p, DType::bf16);
    expect_close(actual[1], p.expected().dlogits);
  });
}

TEST(CrossEntropy, ComputesTheLossAloneWithoutAGradient) {
  for_each_level([](const KernelTable& kernels) {
    const Problem p = problem(DType::bf16, 65);
    Stream stream;
    TestTensor loss(DType::f32, {rows});
    kernels.cross_entropy(stream, loss, Out{}, p.logits, p.targets);
    EXPECT_EQ(loss, run(kernels, stream, p, DType::bf16)[0]);
  });
}

TEST(CrossEntropy, HandlesALargeVocabulary) {
  for_each_level([](const KernelTable& kernels) {
    const Problem p = problem(DType::bf16, 128000);
    Stream stream(cpu_device, 2);
    const auto actual = run(kernels, stream, p, DType::bf16);
    const auto expected = p.expected();
    expect_close(actual[0], expected.loss, 1e-5);
    expect_close(actual[1], expected.dlogits);
  });
}

// The first piece of the row holds nothing but -inf, and the largest logit comes last.
TEST(CrossEntropy, SurvivesMaskedAndHugeLogits) {
  for_each_level([](const KernelTable& kernels) {
    const double inf = std::numeric_limits<double>::infinity();
    Problem p{TestTensor::filled(DType::f32, {rows, 5000}, -inf),
              TestTensor::filled(DType::i32, {rows}, 4999)};
    for (std::int64_t row = 0; row < rows; ++row) {
      p.logits.set(row * 5000 + 4998, 1e30);
      p.logits.set(row * 5000 + 4999, 1e30);
    }
    Stream stream;
    const auto actual = run(kernels, stream, p, DType::f32);
    for (std::int64_t row = 0; row < rows; ++row) {
      EXPECT_EQ(actual[0].at(row), double(std::log(2.0f)));
      EXPECT_EQ(actual[1].at(row * 5000), 0.0);
      EXPECT_EQ(actual[1].at(row * 5000 + 4998), 0.5);
      EXPECT_EQ(actual[1].at(row * 5000 + 4999), -0.5);
    }
  });
}

TEST(CrossEntropy, GradientMatchesFiniteDifferences) {
  for_each_level([](const KernelTable& kernels) {
    const Problem p = problem(DType::f64, 7);
    Stream stream;
    const auto gradient = run(kernels, stream, p, DType::f64)[1];
    const auto total = [&](std::int64_t i, double shift) {
      Problem moved = p;
      moved.logits.set(i, p.logits.at(i) + shift);
      const auto loss = run(kernels, stream, moved, DType::f64)[0].doubles();
      double sum = 0;
      for (double value : loss) sum += value;
      return sum;
    };
    for (std::int64_t i = 0; i < p.logits.numel(); ++i)
      EXPECT_NEAR(gradient.at(i), (total(i, 1e-5) - total(i, -1e-5)) / 2e-5, 1e-9);
  });
}

}  // namespace
}  // namespace boostr::testing
