#define BOOSTR_ISA test_level
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/cpu/philox.h"
#include "tests/testing/levels.h"

namespace boostr::testing {
namespace {

constexpr RandomKey key{.seed = 1234, .stream = 7};

/// What `compute(level, stream)` gives alike on every level and any number of threads.
template <class Compute>
TestTensor same_on_any_level(Compute&& compute) {
  const auto on = [&](const KernelTable& level) {
    return same_on_any_threads([&](Stream& stream) { return compute(level, stream); });
  };
  const TestTensor expected = on(kernels(cpu_device));
  for_each_level([&](const KernelTable& level) { EXPECT_EQ(on(level), expected); });
  return expected;
}

TestTensor normal(DType dtype, Shape shape, RandomKey sequence = key, GlobalIndex index = {},
                  double mean = 0, double std = 1) {
  return same_on_any_level([&](const KernelTable& level, Stream& stream) {
    TestTensor y(dtype, shape);
    level.random_normal(stream, y, sequence, index, mean, std);
    return y;
  });
}

TestTensor uniform(DType dtype, Shape shape, double low, double high, GlobalIndex index = {}) {
  return same_on_any_level([&](const KernelTable& level, Stream& stream) {
    TestTensor y(dtype, shape);
    level.random_uniform(stream, y, key, index, low, high);
    return y;
  });
}

/// Phi(z), the share of the standard normal distribution below z.
double normal_share(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

/// The four words of `block`, the same in whatever lane it falls.
std::array<std::uint32_t, 4> words_of(RandomKey sequence, std::uint64_t block) {
  constexpr int blocks = cpu::test_level::blocks_at_once;
  std::array<std::uint32_t, 4> expected{};
  for (int lane = 0; lane < blocks; ++lane) {
    std::array<std::uint32_t, 4> words[blocks];
    cpu::test_level::random_words(words[0].data(), sequence, block - std::uint64_t(lane));
    if (lane == 0) expected = words[0];
    EXPECT_EQ(words[lane], expected) << "lane " << lane;
  }
  return expected;
}

TEST(Philox, GivesTheKnownAnswersOfRandom123) {
  using Words = std::array<std::uint32_t, 4>;
  // Counter and key as Random123 lists them: {block, stream}, seed, lower halves first.
  EXPECT_EQ(words_of({.seed = 0, .stream = 0}, 0),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(words_of({.seed = ~0ull, .stream = ~0ull}, ~0ull),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(
      words_of({.seed = 0x299f31d0a4093822, .stream = 0x0370734413198a2e}, 0x85a308d3243f6a88),
      (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, SpreadsSeedStreamAndBlockOverKeyAndCounter) {
  const RandomKey wide{.seed = 0x0123456789abcdef, .stream = 0x123456789abcdef0};
  EXPECT_EQ(words_of(wide, 0x211111115),
            (std::array<std::uint32_t, 4>{0x8aa9c898, 0x7cfa892d, 0x091d9364, 0x4b1648b3}));
}

TEST(RandomUniform, IsTheWordOver2To32) {
  const TestTensor y = uniform(DType::f64, {4}, 0, 1, {.first = 20});
  const double expected[] = {0x113b6d31 * 0x1p-32, 0x835f9b5b * 0x1p-32, 0x44107d67 * 0x1p-32,
                             0x206157a3 * 0x1p-32};
  expect_close(y, expected, 0.0);
}

TEST(RandomUniform, StaysInItsHalfOpenIntervalInEveryType) {
  for (DType dtype : float_types) {
    for (const auto& [low, high] :
         {std::pair{0.0, 1.0}, {-0.1, 0.1}, {0.1, 0.3}, {-3.0, 0.0}, {-1e-9, 0.7}}) {
      for (double value : uniform(dtype, {100003}, low, high).doubles()) {
        ASSERT_GE(value, low) << dtype;
        ASSERT_LT(value, high) << dtype;
      }
    }
  }
}

TEST(RandomUniform, IsUniform) {
  constexpr int cells = 64, count = 1 << 20;
  std::array<int, cells> histogram{};
  for (double value : uniform(DType::f64, {count}, 0, 1).doubles()) ++histogram[int(value * cells)];
  double chi_squared = 0;
  for (int n : histogram) chi_squared += std::pow(n - count / cells, 2) / (count / cells);
  EXPECT_GT(chi_squared, 63 - 4 * std::sqrt(126.0));
  EXPECT_LT(chi_squared, 63 + 4 * std::sqrt(126.0));
}

TEST(RandomNormal, IsTheInverseOfTheNormalDistribution) {
  const std::vector<double> z = normal(DType::f64, {100000}).doubles();
  const std::vector<double> u = uniform(DType::f64, {100000}, 0, 1).doubles();
  for (std::size_t i = 0; i < z.size(); ++i) {
    const double p = u[i] + 0x1p-33;
    ASSERT_NEAR(normal_share(z[i]) / p, 1.0, 2e-14) << "element " << i << " is " << z[i];
  }
}

TEST(RandomNormal, IsRightInItsFarthestTails) {
  // Found by search: the words of these elements are 2 and 2^32 - 1.
  const double low = normal(DType::f64, {1}, key, {.first = 1681786977}).at(0);
  const double high = normal(DType::f64, {1}, key, {.first = 309549230}).at(0);
  EXPECT_NEAR(normal_share(low) / (2.5 * 0x1p-32), 1.0, 1e-13);
  EXPECT_NEAR(normal_share(-high) / (0.5 * 0x1p-32), 1.0, 1e-13);
}

TEST(RandomNormal, HasTheMomentsAndTailsOfTheDistribution) {
  constexpr int count = 1 << 20;
  double sum = 0, squares = 0, fourth = 0;
  int beyond_2 = 0, beyond_4 = 0;
  for (double z : normal(DType::f32, {count}).doubles()) {
    sum += z;
    squares += z * z;
    fourth += z * z * z * z;
    beyond_2 += std::abs(z) > 2;
    beyond_4 += std::abs(z) > 4;
  }
  const double four_sigma = 4 / std::sqrt(double(count));
  EXPECT_NEAR(sum / count, 0, four_sigma);
  EXPECT_NEAR(squares / count, 1, four_sigma * std::sqrt(2.0));
  EXPECT_NEAR(fourth / count, 3, four_sigma * std::sqrt(96.0));
  const double share_2 = 2 * normal_share(-2), share_4 = 2 * normal_share(-4);
  EXPECT_NEAR(beyond_2, share_2 * count, 4 * std::sqrt(share_2 * count));
  EXPECT_NEAR(beyond_4, share_4 * count, 4 * std::sqrt(share_4 * count));
}

/// Of x[i] and y[i + lag].
double correlation(const std::vector<double>& x, const std::vector<double>& y, std::size_t lag) {
  double sum = 0;
  for (std::size_t i = 0; i + lag < x.size(); ++i) sum += x[i] * y[i + lag];
  return sum / double(x.size() - lag);
}

TEST(RandomNormal, DoesNotCorrelateWithNeighboursOtherStreamsOrSeeds) {
  constexpr int count = 1 << 18;
  const auto x = normal(DType::f64, {count}).doubles();
  const double four_sigma = 4 / std::sqrt(double(count));
  for (std::size_t lag : {1, 2, 3, 4, 5, 64, 4096})
    EXPECT_NEAR(correlation(x, x, lag), 0, four_sigma) << "lag " << lag;
  for (const RandomKey other :
       {RandomKey{1234, 8}, RandomKey{1235, 7}, RandomKey{7, 1234}, RandomKey{1234, 7ull << 32}}) {
    EXPECT_NEAR(correlation(x, normal(DType::f64, {count}, other).doubles(), 0), 0, four_sigma);
  }
}

TEST(RandomNormal, IsShiftedAndScaled) {
  const auto z = normal(DType::f64, {1000}).doubles();
  const auto y = normal(DType::f64, {1000}, key, {}, 3.0, 0.02);
  std::vector<double> expected;
  for (double value : z) expected.push_back(3.0 + 0.02 * value);
  expect_close(y, expected, 0.0);
}

TEST(RandomNormal, RoundsTheSameNumbersToEveryType) {
  const auto z = normal(DType::f64, {1000}).doubles();
  for (DType dtype : float_types)
    EXPECT_EQ(normal(dtype, {1000}), TestTensor::of(dtype, {1000}, z));
}

TEST(RandomNormal, HasTheSameBitsOnEveryMachine) {
  const TestTensor y = normal(DType::f64, {100000});
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a over the words
  for (double value : y.doubles())
    hash = (hash ^ std::bit_cast<std::uint64_t>(value)) * 0x100000001b3;
  EXPECT_EQ(hash, 0x1dd3f12c12b950ce);
}

TEST(RandomNumbers, OfABlockAreThoseOfTheWhole) {
  constexpr std::int64_t columns = 53, first_row = 5, first_column = 7;
  const TestTensor whole = normal(DType::f32, {37, columns});
  const TestTensor whole_uniform = uniform(DType::f32, {37, columns}, -1, 1);
  for (const Shape block : {Shape{12, 23}, Shape{1, 46}, Shape{32, 1}, Shape{3, 4, 5}}) {
    const GlobalIndex index{.first = first_row * columns + first_column, .row_stride = columns};
    const TestTensor part = normal(DType::f32, block, key, index);
    const TestTensor part_uniform = uniform(DType::f32, block, -1, 1, index);
    for (std::int64_t i = 0; i < part.numel(); ++i) {
      const std::int64_t at = index.first + i / block.back() * columns + i % block.back();
      ASSERT_EQ(part.at(i), whole.at(at));
      ASSERT_EQ(part_uniform.at(i), whole_uniform.at(at));
    }
  }
}

TEST(RandomNumbers, OfALargeBlockAreThoseOfTheWhole) {
  constexpr std::int64_t columns = 9001;
  const TestTensor whole = normal(DType::f32, {20, columns});
  const TestTensor part =
      normal(DType::f32, {10, 4999}, key, {.first = 3 * columns + 2, .row_stride = columns});
  for (std::int64_t i = 0; i < part.numel(); ++i) {
    ASSERT_EQ(part.at(i), whole.at(3 * columns + 2 + i / 4999 * columns + i % 4999));
  }
}

TestTensor dropout(const KernelTable& level, const TestTensor& x, GlobalIndex index, double p) {
  return same_on_any_threads([&](Stream& stream) {
    TestTensor y(x.dtype(), x.shape());
    level.dropout(stream, y, x, key, index, p);
    return y;
  });
}

TEST(Dropout, KeepsAndScalesWhereTheUniformNumberIsAtLeastP) {
  for_each_level([](const KernelTable& level) {
    for (DType dtype : float_types) {
      for (const Shape& shape : {Shape{1}, Shape{7}, Shape{33}, Shape{13, 4999}, Shape{100, 33}}) {
        const GlobalIndex index{.first = 11, .row_stride = shape.back() + 5};
        const auto x = TestTensor::normal(dtype, shape, 1);
        const auto u = uniform(DType::f64, shape, 0, 1, index);
        std::vector<double> expected = x.doubles();
        for (std::int64_t i = 0; i < x.numel(); ++i)
          expected[i] = u.at(i) >= 0.3 ? expected[i] / 0.7 : 0.0;
        expect_close(dropout(level, x, index, 0.3), expected);
      }
    }
  });
}

TEST(Dropout, DropsTheShareP) {
  for_each_level([](const KernelTable& level) {
    const TestTensor y = dropout(level, TestTensor::filled(DType::f32, {1 << 18}, 1.0), {}, 0.1);
    int dropped = 0;
    for (double value : y.doubles()) dropped += value == 0;
    EXPECT_NEAR(dropped, 0.1 * (1 << 18), 4 * std::sqrt(0.09 * (1 << 18)));
  });
}

TEST(Dropout, OfZeroKeepsAllAndOfOneNothing) {
  for_each_level([](const KernelTable& level) {
    for (DType dtype : float_types) {
      auto x = TestTensor::normal(dtype, {133}, 2);
      x.set(5, std::numeric_limits<double>::infinity());
      EXPECT_EQ(dropout(level, x, {}, 0.0), x);
      EXPECT_EQ(dropout(level, x, {}, 1.0), TestTensor::filled(dtype, {133}, 0.0));
    }
  });
}

TEST(Dropout, MayWriteToItsInput) {
  for_each_level([](const KernelTable& level) {
    Stream stream;
    auto x = TestTensor::normal(DType::bf16, {133}, 3);
    const TestTensor y = dropout(level, x, {}, 0.5);
    level.dropout(stream, x, x, key, {}, 0.5);
    EXPECT_EQ(x, y);
  });
}

}  // namespace
}  // namespace boostr::testing
