#include <cmath>
#include <cstring>
#include <limits>

#include "tests/testing/levels.h"

namespace boostr::testing {
namespace {

constexpr std::int64_t sizes[] = {1, 7, 33, 100, 33333};

/// One element of `dtype` at a time.
template <class F>
TestTensor mapped(DType dtype, const TestTensor& x, F&& f) {
  std::vector<double> values = x.doubles();
  for (double& value : values) value = f(value);
  return TestTensor::of(dtype, x.shape(), values);
}

/// Calls test(level, y's type, x's type, size) for every combination.
template <class Test>
void for_each_pair(Test&& test) {
  for_each_level([&](const KernelTable& level) {
    for (DType to : float_types) {
      for (DType from : float_types) {
        SCOPED_TRACE(text(from, " to ", to));
        for (std::int64_t size : sizes) test(level, to, from, size);
      }
    }
  });
}

TEST(Add, RoundsTheSumOnceToTheStorageType) {
  for_each_pair([](const KernelTable& level, DType dtype, DType other, std::int64_t size) {
    if (dtype != other) return;
    const auto a = TestTensor::normal(dtype, {size}, 1), b = TestTensor::normal(dtype, {size}, 2);
    TestTensor expected(dtype, {size});
    for (std::int64_t i = 0; i < size; ++i) expected.set(i, a.at(i) + b.at(i));
    const TestTensor y = same_on_any_threads([&](Stream& stream) {
      TestTensor out(dtype, {size});
      level.add(stream, out, a, b);
      return out;
    });
    EXPECT_EQ(y, expected);
  });
}

TEST(Add, MayWriteToItsInput) {
  for_each_level([](const KernelTable& level) {
    Stream stream;
    auto a = TestTensor::filled(DType::f32, {33}, 1.5);
    level.add(stream, a, a, a);
    EXPECT_EQ(a, TestTensor::filled(DType::f32, {33}, 3.0));
  });
}

TEST(Mul, RoundsTheProductOnceToTheStorageType) {
  for_each_pair([](const KernelTable& level, DType dtype, DType other, std::int64_t size) {
    if (dtype != other) return;
    Stream stream;
    const auto a = TestTensor::normal(dtype, {size}, 3), b = TestTensor::normal(dtype, {size}, 4);
    TestTensor expected(dtype, {size}), y(dtype, {size});
    for (std::int64_t i = 0; i < size; ++i) expected.set(i, a.at(i) * b.at(i));
    level.mul(stream, y, a, b);
    EXPECT_EQ(y, expected);
  });
}

TEST(Scale, ConvertsBetweenAnyTwoFloatTypes) {
  for_each_pair([](const KernelTable& level, DType to, DType from, std::int64_t size) {
    const auto x = TestTensor::normal(from, {size}, 5);
    const TestTensor y = same_on_any_threads([&](Stream& stream) {
      TestTensor out(to, {size});
      level.scale(stream, out, x, 0.375);
      return out;
    });
    EXPECT_EQ(y, mapped(to, x, [](double v) { return 0.375 * v; }));
  });
}

TEST(Scale, KeepsF64PrecisionOfTheFactor) {
  for_each_level([](const KernelTable& level) {
    Stream stream;
    auto x = TestTensor::filled(DType::f64, {9}, 3.0);
    level.scale(stream, x, x, 0.1);
    EXPECT_EQ(x, TestTensor::filled(DType::f64, {9}, 3.0 * 0.1));
  });
}

TEST(Axpy, AddsAScaledTensorOfAnyFloatType) {
  for_each_pair([](const KernelTable& level, DType to, DType from, std::int64_t size) {
    const auto x = TestTensor::normal(from, {size}, 6), start = TestTensor::normal(to, {size}, 7);
    std::vector<double> expected = start.doubles();
    for (std::int64_t i = 0; i < size; ++i) expected[i] += -0.375 * x.at(i);
    const TestTensor y = same_on_any_threads([&](Stream& stream) {
      TestTensor sum = start;
      level.axpy(stream, sum, x, -0.375);
      return sum;
    });
    expect_close(y, expected);
  });
}

TEST(Fill, SetsEveryElementOfAnyType) {
  for_each_level([](const KernelTable& level) {
    for (DType dtype :
         {DType::f32, DType::bf16, DType::f16, DType::f64, DType::i32, DType::i64, DType::u8}) {
      for (std::int64_t size : sizes) {
        Stream stream(cpu_device, 2);
        TestTensor y(dtype, {size});
        level.fill(stream, y, 42.0);
        EXPECT_EQ(y, TestTensor::filled(dtype, {size}, 42.0));
      }
    }
  });
}

TEST(Cast, RoundsToNearestEvenBetweenAnyTwoTypes) {
  for_each_pair([](const KernelTable& level, DType to, DType from, std::int64_t size) {
    const auto x = TestTensor::normal(from, {size}, 8);
    const TestTensor y = same_on_any_threads([&](Stream& stream) {
      TestTensor out(to, {size});
      level.cast(stream, out, x);
      return out;
    });
    EXPECT_EQ(y, mapped(to, x, [](double v) { return v; }));
  });
}

TEST(Cast, TakesTiesToEvenAndOverflowsToInfinity) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  struct Case {
    DType to;
    double in, out;
  };
  // Halfway between neighbours: the even one wins. 65520 is halfway between the largest f16 and
  // 2^16.
  for (const Case& c :
       {Case{DType::bf16, 1 + 0x1p-8, 1.0}, Case{DType::bf16, 1 + 3 * 0x1p-8, 1 + 0x1p-6},
        Case{DType::f16, 1 + 0x1p-11, 1.0}, Case{DType::f16, 65519.0, 65504.0},
        Case{DType::f16, 65520.0, infinity}, Case{DType::f16, -1e9, -infinity},
        Case{DType::f16, 0x1p-24, 0x1p-24}, Case{DType::f16, 0x1p-25, 0.0}}) {
    for_each_level([&](const KernelTable& level) {
      Stream stream;
      TestTensor y(c.to, {33});
      level.cast(stream, y, TestTensor::filled(DType::f32, {33}, c.in));
      EXPECT_EQ(y, TestTensor::filled(c.to, {33}, c.out));
    });
  }
}

// Every upper half of an f32 with lower halves around the tie, quiet and signalling NaNs among them.
TEST(Cast, RoundsEveryKindOfF32ToBf16AsTheScalarDoes) {
  TestTensor x(DType::f32, {65536, 6});
  std::int64_t at = 0;
  for (std::uint32_t upper = 0; upper < 65536; ++upper) {
    for (const std::uint32_t lower : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      const std::uint32_t bits = upper << 16 | lower;
      std::memcpy(static_cast<float*>(x.out().data) + at++, &bits, sizeof bits);
    }
  }
  for_each_level([&](const KernelTable& level) {
    Stream stream;
    TestTensor y(DType::bf16, x.shape());
    level.cast(stream, y, x);
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      const float value = static_cast<const float*>(x.in().data)[i];
      const auto expected = static_cast<double>(static_cast<float>(BFloat16(value)));
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(y.at(i))) << i;
      } else if (std::abs(value) >= std::numeric_limits<float>::min()) {
        ASSERT_EQ(y.at(i), expected) << value;
      } else {  // AVX512-BF16 flushes them
        ASSERT_TRUE(y.at(i) == expected || y.at(i) == 0.0) << value;
      }
    }
  });
}

TEST(Cast, KeepsNaNAndInfinity) {
  for_each_pair([](const KernelTable& level, DType to, DType from, std::int64_t size) {
    Stream stream;
    TestTensor y(to, {size});
    level.cast(stream, y,
               TestTensor::filled(from, {size}, -std::numeric_limits<double>::infinity()));
    EXPECT_EQ(y, TestTensor::filled(to, {size}, -std::numeric_limits<double>::infinity()));
    level.cast(stream, y, TestTensor::filled(from, {size}, std::nan("")));
    for (double value : y.doubles()) ASSERT_TRUE(std::isnan(value));
  });
}

TEST(Cast, CopiesIntegers) {
  for_each_level([](const KernelTable& level) {
    for (DType dtype : {DType::i32, DType::i64, DType::u8}) {
      Stream stream(cpu_device, 2);
      const auto x = TestTensor::integers(dtype, {100001}, 9, 0, 200);
      TestTensor y(dtype, {100001});
      level.cast(stream, y, x);
      EXPECT_EQ(y, x);
    }
  });
}

}  // namespace
}  // namespace boostr::testing
