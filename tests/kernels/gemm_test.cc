#include "tests/reference/gemm.h"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/testing/levels.h"

namespace boostr::testing {
namespace {

using reference::GemmProblem;

/// The reference for products too large for its loops: Eigen's, in f64.
void gemm_by_eigen(const GemmProblem& p, std::vector<double>& c, const std::vector<double>& a,
                   const std::vector<double>& b, const std::vector<double>& bias) {
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto factor = [](const std::vector<double>& values, bool transpose, std::int64_t rows,
                         std::int64_t columns) -> Matrix {
    if (!transpose) return Eigen::Map<const Matrix>(values.data(), rows, columns);
    return Eigen::Map<const Matrix>(values.data(), columns, rows).transpose();
  };
  Eigen::Map<Matrix> result(c.data(), p.m, p.n);
  Matrix product = factor(a, p.transpose_a, p.m, p.k) * factor(b, p.transpose_b, p.k, p.n);
  if (!bias.empty()) product.rowwise() += Eigen::Map<const Eigen::RowVectorXd>(bias.data(), p.n);
  if (p.accumulate)
    result += product;
  else
    result = product;
}

/// a, b, bias and c for a problem, and the result that the reference expects.
struct GemmCase {
  GemmProblem problem;
  TestTensor a, b, bias, c;
  std::vector<double> expected;

  GemmCase(const GemmProblem& p, DType dtype, DType c_dtype, bool with_bias,
           decltype(gemm_by_eigen) reference = reference::gemm)
      : problem(p) {
    const double std = 1.0 / std::sqrt(double(std::max<std::int64_t>(p.k, 1)));
    a = TestTensor::normal(dtype,
                           p.transpose_a ? Shape{p.batch, p.k, p.m} : Shape{p.batch, p.m, p.k}, 1);
    b = TestTensor::normal(
        dtype, p.transpose_b ? Shape{p.batch, p.n, p.k} : Shape{p.batch, p.k, p.n}, 2, std);
    if (with_bias) bias = TestTensor::normal(dtype, {p.n}, 3);
    c = p.accumulate ? TestTensor::normal(c_dtype, {p.batch, p.m, p.n}, 4)
                     : TestTensor(c_dtype, {p.batch, p.m, p.n});
    expected = c.doubles();
    reference(p, expected, a.doubles(), b.doubles(), bias.doubles());
  }

  TestTensor run(const KernelTable& kernels, Stream& stream) const {
    TestTensor result = c;
    kernels.gemm(stream, result, a, b, bias,
                 {.transpose_a = problem.transpose_a,
                  .transpose_b = problem.transpose_b,
                  .accumulate = problem.accumulate});
    return result;
  }
  void check() const {
    SCOPED_TRACE(text(a.dtype(), " -> ", c.dtype(), ", batch ", problem.batch, ", ", problem.m,
                      " x ", problem.n, " x ", problem.k, problem.transpose_a ? " T" : " N",
                      problem.transpose_b ? "T" : "N"));
    for_each_level([&](const KernelTable& kernels) {
      expect_close(same_on_any_threads([&](Stream& stream) { return run(kernels, stream); }),
                   expected);
    });
  }
};

/// Every layout with and without bias and accumulation, in every type, with c in the type of a and
/// of the sums.
void check_all(std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k) {
  for (const DType dtype : float_types) {
    for (int bits = 0; bits < 16; ++bits) {
      const GemmProblem problem{batch, m, n, k, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0};
      GemmCase(problem, dtype, dtype, (bits & 8) != 0).check();
      if (accumulator_of(dtype) != dtype)
        GemmCase(problem, dtype, accumulator_of(dtype), (bits & 8) != 0).check();
    }
  }
}

TEST(Gemm, MatchesTheReferenceOnOneElement) { check_all(1, 1, 1, 1); }
TEST(Gemm, MatchesTheReferenceOnOddSizes) {
  check_all(1, 7, 33, 33);
  check_all(1, 33, 7, 1);
  check_all(1, 13, 17, 65);
}
TEST(Gemm, MatchesTheReferenceOnBatches) { check_all(3, 5, 9, 7); }
TEST(Gemm, MatchesTheReferenceOnWholeTiles) { check_all(1, 42, 64, 32); }

// Blocks hold at most 768 elements of K and 256 columns, on any level.
TEST(Gemm, MatchesEigenOverSeveralBlocksOfEveryDimension) {
  for (const DType dtype : float_types) {
    for (int bits = 0; bits < 4; ++bits) {
      const GemmProblem problem{1, 35, 531, 1590, (bits & 1) != 0, (bits & 2) != 0, bits == 3};
      GemmCase(problem, dtype, dtype, true, gemm_by_eigen).check();
    }
  }
}

TEST(Gemm, SplitsTallAndWideProductsIntoJobs) {
  GemmCase({1, 1600, 9, 21, false, true, false}, DType::f32, DType::f32, false).check();
  GemmCase({1, 9, 1600, 21, true, false, true}, DType::bf16, DType::bf16, false).check();
}

TEST(Gemm, OfDepthZeroIsTheBias) { check_all(2, 3, 5, 0); }

TEST(Gemm, LeavesAnEmptyProductAlone) {
  for_each_level([&](const KernelTable& kernels) {
    Stream stream;
    TestTensor c(DType::f32, {0, 4}), b = TestTensor::normal(DType::f32, {3, 4}, 1);
    kernels.gemm(stream, c, TestTensor(DType::f32, {0, 3}), b, {}, {});
  });
}

TEST(Gemm, RoundsA16BitResultOnce) {
  // bf16 counts in steps of 32 from 4096 on: sums kept in 16 bits between blocks of K would stay at
  // 4096.
  constexpr std::int64_t k = 4097;
  const auto a = TestTensor::filled(DType::bf16, {1, k}, 1.0);
  auto b = TestTensor::filled(DType::bf16, {k, 1}, 1.0 / 32);
  b.set(0, 4096.0);
  for_each_level([&](const KernelTable& kernels) {
    Stream stream;
    TestTensor c(DType::bf16, {1, 1});
    kernels.gemm(stream, c, a, b, {}, {});
    EXPECT_EQ(c.at(0), 4096.0 + 128.0);
  });
}

TEST(Gemm, AllocatesOnlyTheFirstTime) {
  const GemmCase problem({1, 100, 200, 300}, DType::bf16, DType::bf16, false);
  Stream stream(cpu_device, 2);
  TestTensor c = problem.c;
  const auto run = [&] { kernels(cpu_device).gemm(stream, c, problem.a, problem.b, {}, {}); };
  run();
  const auto before = allocator_stats();
  run();
  EXPECT_EQ(allocator_stats().requests, before.requests);
}

TEST(PeakProbe, CountsTheWorkOfAllThreads) {
  for_each_level([&](const KernelTable& kernels) {
    Stream one(cpu_device, 1), two(cpu_device, 2);
    const double flops = kernels.peak_probe(one, DType::f32, 2);
    EXPECT_GT(flops, 1e5);
    EXPECT_EQ(kernels.peak_probe(one, DType::f32, 4), 2 * flops);
    EXPECT_GE(kernels.peak_probe(two, DType::f32, 2), flops);
    EXPECT_GT(kernels.peak_probe(one, DType::f64, 2), 0);
    EXPECT_GE(kernels.peak_probe(one, DType::bf16, 2), flops);
  });
}

}  // namespace
}  // namespace boostr::testing
