#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tests/testing/levels.h"

namespace boostr::testing {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Calls test(level, dtype) for every combination.
template <class Test>
void for_each_type(Test&& test) {
  for_each_level([&](const KernelTable& level) {
    for (DType dtype : float_types) {
      SCOPED_TRACE(text(dtype));
      test(level, dtype);
    }
  });
}

/// Tolerance of a sum of values near 1 whose result stays in the arithmetic's type.
double sum_tolerance(DType dtype) { return tolerance(accumulator_of(dtype)); }

TestTensor reduced(const KernelTable& level, const TestTensor& x, Reduction reduction) {
  return same_on_any_threads([&](Stream& stream) {
    TestTensor y(accumulator_of(x.dtype()), {});
    level.reduce(stream, y, x, reduction);
    return y;
  });
}

TEST(Reduce, SumsEveryElement) {
  for_each_type([](const KernelTable& level, DType dtype) {
    for (std::int64_t size : {std::int64_t{1}, std::int64_t{7}, std::int64_t{33},
                              std::int64_t{1000}, 2 * norm_chunk + 77}) {
      const auto x = TestTensor::uniform(dtype, {size}, 1, -0.5, 1.5);
      const std::vector<double> values = x.doubles();
      const double sum = std::accumulate(values.begin(), values.end(), 0.0);
      expect_close(reduced(level, x, Reduction::sum), {&sum, 1}, sum_tolerance(dtype),
                   double(size));
    }
  });
}

TEST(Reduce, SumsInF64IntoF64) {
  for_each_level([](const KernelTable& level) {
    auto x = TestTensor::filled(DType::f32, {norm_chunk + 3}, 1.0);
    x.set(0, 0x1p27);  // adding 1 to this changes nothing in f32
    TestTensor y(DType::f64, {});
    Stream stream(cpu_device);
    level.reduce(stream, y, x, Reduction::sum);
    EXPECT_EQ(y.at(0), 0x1p27 + norm_chunk + 2);
  });
}

TEST(Reduce, FindsTheLargestWhereverItIs) {
  for_each_type([](const KernelTable& level, DType dtype) {
    auto x = TestTensor::uniform(dtype, {norm_chunk + 33}, 2, -3, -1);
    for (std::int64_t at : {std::int64_t{0}, std::int64_t{31}, norm_chunk - 1, norm_chunk + 32}) {
      x.set(at, -0.5);
      EXPECT_EQ(reduced(level, x, Reduction::max).at(0), -0.5);
      x.set(at, -1.0);
    }
  });
}

TEST(Reduce, MaximumOfNaNIsNaN) {
  for_each_type([](const KernelTable& level, DType dtype) {
    for (std::int64_t at : {0, 20, 32}) {
      auto x = TestTensor::filled(dtype, {33}, 1.0);
      x.set(at, std::nan(""));
      EXPECT_TRUE(std::isnan(reduced(level, x, Reduction::max).at(0)));
    }
  });
}

TEST(Reduce, OfNothingIsTheNeutralElement) {
  for_each_type([](const KernelTable& level, DType dtype) {
    const TestTensor nothing(dtype, {0});
    EXPECT_EQ(reduced(level, nothing, Reduction::sum).at(0), 0.0);
    EXPECT_EQ(reduced(level, nothing, Reduction::max).at(0), -infinity);
  });
}

TEST(ReduceRows, GivesOneNumberPerRow) {
  for_each_type([](const KernelTable& level, DType dtype) {
    for (std::int64_t columns : {1, 7, 33, 300}) {
      const auto x = TestTensor::uniform(dtype, {3, 67, columns}, 3, -1, 2);
      std::vector<double> sums(201), largest(201, -infinity);
      for (std::int64_t i = 0; i < x.numel(); ++i) {
        sums[i / columns] += x.at(i);
        largest[i / columns] = std::max(largest[i / columns], x.at(i));
      }
      const auto reduce_rows = [&](Reduction reduction) {
        return same_on_any_threads([&](Stream& stream) {
          TestTensor y(accumulator_of(dtype), {3, 67});
          level.reduce_rows(stream, y, x, reduction);
          return y;
        });
      };
      expect_close(reduce_rows(Reduction::sum), sums, sum_tolerance(dtype), double(columns));
      expect_close(reduce_rows(Reduction::max), largest, 0.0);
    }
  });
}

TEST(SumRows, AddsTheRowsColumnByColumn) {
  for_each_type([](const KernelTable& level, DType dtype) {
    for (std::int64_t rows : {1, 7, 65, 200}) {
      for (std::int64_t columns : {1, 7, 33, 300}) {
        const auto x = TestTensor::uniform(dtype, {rows, columns}, 4, -1, 2);
        std::vector<double> sums(std::size_t(columns), 0.0);
        for (std::int64_t i = 0; i < x.numel(); ++i) sums[i % columns] += x.at(i);
        const TestTensor y = same_on_any_threads([&](Stream& stream) {
          TestTensor out(accumulator_of(dtype), {columns});
          level.sum_rows(stream, out, x, false);
          return out;
        });
        expect_close(y, sums, sum_tolerance(dtype), double(rows));
      }
    }
  });
}

TEST(SumRows, AccumulatesOntoTheOutput) {
  for_each_type([](const KernelTable& level, DType dtype) {
    Stream stream;
    auto y = TestTensor::filled(accumulator_of(dtype), {33}, 10.0);
    level.sum_rows(stream, y, TestTensor::filled(dtype, {5, 33}, 0.5), true);
    EXPECT_EQ(y, TestTensor::filled(accumulator_of(dtype), {33}, 12.5));
  });
}

TestTensor squares(const KernelTable& level, const TestTensor& x, double factor) {
  return same_on_any_threads([&](Stream& stream) {
    TestTensor partials(DType::f64, {(x.numel() + norm_chunk - 1) / norm_chunk});
    level.sum_squares(stream, partials, x, factor);
    return partials;
  });
}

TEST(SumSquares, GivesOneScaledPartialPerChunk) {
  for_each_type([](const KernelTable& level, DType dtype) {
    for (std::int64_t size :
         {std::int64_t{1}, std::int64_t{7}, std::int64_t{33}, norm_chunk, 2 * norm_chunk + 5}) {
      const auto x = TestTensor::normal(dtype, {size}, 5);
      std::vector<double> expected(std::size_t((size + norm_chunk - 1) / norm_chunk), 0.0);
      for (std::int64_t i = 0; i < size; ++i) expected[i / norm_chunk] += 0.25 * x.at(i) * x.at(i);
      expect_close(squares(level, x, -0.5), expected, 1e-13);
    }
  });
}

TEST(SumSquares, OfASliceCutAtChunksHasTheSameBits) {
  for_each_level([](const KernelTable& level) {
    const auto whole = TestTensor::normal(DType::f32, {3 * norm_chunk}, 6);
    TestTensor slice(DType::f32, {norm_chunk});
    for (std::int64_t i = 0; i < norm_chunk; ++i) slice.set(i, whole.at(norm_chunk + i));
    EXPECT_EQ(squares(level, slice, 1.0).at(0), squares(level, whole, 1.0).at(1));
  });
}

TEST(SumSquares, DoesNotOverflowInF32) {
  for_each_level([](const KernelTable& level) {
    const double expected = 33 * double(1e30f) * double(1e30f);
    EXPECT_DOUBLE_EQ(squares(level, TestTensor::filled(DType::f32, {33}, 1e30), 1.0).at(0),
                     expected);
  });
}

double all_finite(const KernelTable& level, const TestTensor& x) {
  return same_on_any_threads([&](Stream& stream) {
           TestTensor flag(DType::i32, {});
           level.all_finite(stream, flag, x);
           return flag;
         })
      .at(0);
}

TEST(AllFinite, AcceptsTheLargestNumbers) {
  for_each_type([](const KernelTable& level, DType dtype) {
    const double largest = dtype == DType::f64 ? 1e308 : dtype == DType::f16 ? 65504.0 : 3.38e38;
    auto x = TestTensor::filled(dtype, {2 * norm_chunk + 33}, -largest);
    x.set(1, 0.0);
    EXPECT_EQ(all_finite(level, x), 1);
    EXPECT_EQ(all_finite(level, TestTensor(dtype, {0})), 1);
  });
}

TEST(AllFinite, FindsOneNaNOrInfinityAnywhere) {
  for_each_type([](const KernelTable& level, DType dtype) {
    const std::int64_t size = dtype == DType::bf16 ? norm_chunk + 33 : 65;
    auto x = TestTensor::filled(dtype, {size}, 1.0);
    for (double broken : {infinity, -infinity, std::nan("")}) {
      for (std::int64_t at : {std::int64_t{0}, std::int64_t{17}, size - 1}) {
        x.set(at, broken);
        EXPECT_EQ(all_finite(level, x), 0) << broken << " at " << at;
        x.set(at, 1.0);
      }
    }
  });
}

}  // namespace
}  // namespace boostr::testing
