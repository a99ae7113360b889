#include "tests/reference/rope.h"

#include <numeric>

#include "tests/reference/finite_difference.h"
#include "tests/testing/levels.h"

namespace boostr::testing {
namespace {

constexpr std::int64_t positions = 40;

struct Tables {
  TestTensor cos, sin;
};

/// angles[position, pair] = position * theta^(-pair / pairs).
std::vector<double> make_angles(std::int64_t pairs) {
  std::vector<double> angles;
  for (std::int64_t position = 0; position < positions; ++position) {
    for (std::int64_t pair = 0; pair < pairs; ++pair) {
      angles.push_back(double(position) * std::pow(10000.0, -double(pair) / double(pairs)));
    }
  }
  return angles;
}

Tables make_tables(DType dtype, std::int64_t pairs) {
  Tables tables{TestTensor(accumulator_of(dtype), {positions, pairs}),
                TestTensor(accumulator_of(dtype), {positions, pairs})};
  const std::vector<double> angles = make_angles(pairs);
  for (std::int64_t i = 0; i < std::int64_t(angles.size()); ++i) {
    tables.cos.set(i, std::cos(angles[i]));
    tables.sin.set(i, std::sin(angles[i]));
  }
  return tables;
}

constexpr RopeOptions all_options[] = {
    {.interleaved = false, .inverse = false, .first_position = 0},
    {.interleaved = true, .inverse = false, .first_position = 0},
    {.interleaved = false, .inverse = true, .first_position = 7},
    {.interleaved = true, .inverse = true, .first_position = 7},
};

TEST(Rope, MatchesTheReference) {
  struct Size {
    std::int64_t head_dim, pairs;
  };
  for_each_level([](const KernelTable& level) {
    for (DType dtype : float_types) {
      for (const Size size : {Size{2, 1}, Size{14, 7}, Size{64, 32}, Size{66, 33}, Size{80, 20},
                              Size{33, 5}, Size{9, 0}}) {
        const Shape shape{2, 7, 3, size.head_dim};
        const auto x = TestTensor::normal(dtype, shape, 1);
        const Tables tables = make_tables(dtype, size.pairs);
        for (const RopeOptions& options : all_options) {
          SCOPED_TRACE(text(dtype, " D ", size.head_dim, " pairs ", size.pairs, " interleaved ",
                            options.interleaved));
          const TestTensor y = same_on_any_threads([&](Stream& stream) {
            TestTensor out(dtype, shape);
            level.rope(stream, out, x, tables.cos, tables.sin, options);
            return out;
          });
          expect_close(
              y, reference::rope(x.doubles(), shape, make_angles(size.pairs), size.pairs, options));
        }
      }
    }
  });
}

TEST(Rope, DoesNotDependOnTheThreads) {
  for_each_level([](const KernelTable& level) {
    const Tables tables = make_tables(DType::bf16, 32);
    const auto x = TestTensor::normal(DType::bf16, {2, 33, 15, 64}, 1);
    const TestTensor y = same_on_any_threads([&](Stream& stream) {
      TestTensor out(DType::bf16, x.shape());
      level.rope(stream, out, x, tables.cos, tables.sin, {});
      return out;
    });
    expect_close(y, reference::rope(x.doubles(), x.shape(), make_angles(32), 32, {}));
  });
}

TEST(Rope, MayWriteToItsInput) {
  for_each_level([](const KernelTable& level) {
    for (DType dtype : float_types) {
      for (const RopeOptions& options : all_options) {
        Stream stream;
        const Shape shape{1, 5, 3, 50};
        auto x = TestTensor::normal(dtype, shape, 2);
        const Tables tables = make_tables(dtype, 21);
        TestTensor y(dtype, shape);
        level.rope(stream, y, x, tables.cos, tables.sin, options);
        level.rope(stream, x, x, tables.cos, tables.sin, options);
        EXPECT_EQ(x, y);
      }
    }
  });
}

TEST(Rope, InverseIsTheGradient) {
  for_each_level([](const KernelTable& level) {
    for (bool interleaved : {false, true}) {
      Stream stream;
      const Shape shape{1, 3, 2, 20};
      const auto x = TestTensor::normal(DType::f64, shape, 3),
                 dy = TestTensor::normal(DType::f64, shape, 4);
      const Tables tables = make_tables(DType::f64, 9);
      TestTensor dx(DType::f64, shape);
      level.rope(stream, dx, dy, tables.cos, tables.sin,
                 {.interleaved = interleaved, .inverse = true, .first_position = 4});
      const RopeOptions options{.interleaved = interleaved, .inverse = false, .first_position = 4};
      const auto forward = [&](const std::vector<double>& v) {
        return reference::rope(v, shape, make_angles(9), 9, options);
      };
      expect_close(dx, reference::finite_difference(forward, x.doubles(), dy.doubles()), 1e-9);
    }
  });
}

TEST(Rope, ProductsDependOnTheDistanceOnly) {
  for_each_level([](const KernelTable& level) {
    Stream stream;
    const Shape shape{1, 1, 1, 16};
    const auto q = TestTensor::normal(DType::f64, shape, 5),
               k = TestTensor::normal(DType::f64, shape, 6);
    const Tables tables = make_tables(DType::f64, 8);
    const auto product = [&](std::int64_t query_position, std::int64_t key_position) {
      TestTensor turned_q(DType::f64, shape), turned_k(DType::f64, shape);
      level.rope(stream, turned_q, q, tables.cos, tables.sin, {.first_position = query_position});
      level.rope(stream, turned_k, k, tables.cos, tables.sin, {.first_position = key_position});
      const auto a = turned_q.doubles(), b = turned_k.doubles();
      return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
    };
    EXPECT_NEAR(product(9, 4), product(35, 30), 1e-12);
    EXPECT_GT(std::abs(product(9, 4) - product(9, 5)), 1e-3);
  });
}

}  // namespace
}  // namespace boostr::testing
