#include <cstring>
#include <functional>
#include <vector>

#include "kernels/runtime/buffer.h"
#include "tests/testing/levels.h"

// Results far larger than the caches are stored around them. They must have the bits that the same
// kernel stores through the caches for a few rows at a time.
namespace boostr::testing {
namespace {

constexpr std::int64_t columns = 4096, rows_of_part = 33;

/// A tensor as kernels get it in training: aligned.
struct Array {
  Array(DType dtype, const Shape& shape)
      : memory(std::size_t(shape.numel()) * size_of(dtype)), dtype(dtype), shape(shape) {}
  Out rows(std::int64_t first, std::int64_t count) const {
    const std::size_t row_bytes = std::size_t(shape.back()) * size_of(dtype);
    return {memory.data() + std::size_t(first) * row_bytes, dtype, {count, shape.back()}};
  }
  Buffer memory;
  DType dtype;
  Shape shape;
};

Array normal(DType dtype, const Shape& shape, std::uint64_t seed) {
  Array array(dtype, shape);
  Stream stream;
  kernels(cpu_device).random_normal(stream, array.rows(0, shape.rows()), {.seed = seed}, {}, 0, 1);
  return array;
}

/// Computes the rows of y from the same rows of a and b.
using Compute = std::function<void(Stream&, Out y, In a, In b)>;

/// A row of weights, and a number for each row: `ones` that kernels read, and two that they write.
struct Operands {
  Operands(DType dtype, std::int64_t rows)
      : weight(normal(dtype, {1, columns}, 3)),
        ones(DType::f32, {rows, 1}),
        first(DType::f32, {rows, 1}),
        second(DType::f32, {rows, 1}) {
    Stream stream;
    kernels(cpu_device).fill(stream, ones.rows(0, rows), 1.0);
  }
  Array weight, ones, first, second;
};

std::vector<std::pair<const char*, Compute>> cases(const KernelTable& level, const Operands& with) {
  const auto w = [&with] { return Out{with.weight.memory.data(), with.weight.dtype, {columns}}; };
  const auto of = [](const Array& numbers, const In& x) {
    return Out{numbers.memory.data(), numbers.dtype, {x.shape.rows()}};
  };
  return {
      {"add", [&](Stream& s, Out y, In a, In b) { level.add(s, y, a, b); }},
      {"scale", [&](Stream& s, Out y, In a, In) { level.scale(s, y, a, 0.5); }},
      {"activation",
       [&](Stream& s, Out y, In a, In) { level.activation(s, y, a, Activation::silu); }},
      {"activation_grad",
       [&](Stream& s, Out y, In a, In b) { level.activation_grad(s, y, a, b, Activation::gelu); }},
      {"gated_activation",
       [&](Stream& s, Out y, In a, In b) { level.gated_activation(s, y, a, b, Activation::silu); }},
      {"softmax", [&](Stream& s, Out y, In a, In) { level.softmax(s, y, a); }},
      {"softmax_grad", [&](Stream& s, Out y, In a, In b) { level.softmax_grad(s, y, a, b); }},
      {"rms_norm", [&, w, of](Stream& s, Out y, In a,
                              In) { level.rms_norm(s, y, of(with.first, a), a, w(), 1e-5); }},
      {"rms_norm_grad_x",
       [&, w, of](Stream& s, Out y, In a, In b) {
         level.rms_norm_grad_x(s, y, a, b, w(), of(with.ones, a));
       }},
      {"layer_norm",
       [&, w, of](Stream& s, Out y, In a, In) {
         level.layer_norm(s, y, of(with.first, a), of(with.second, a), a, w(), w(), 1e-5);
       }},
      {"layer_norm_grad_x",
       [&, w, of](Stream& s, Out y, In a, In b) {
         level.layer_norm_grad_x(s, y, a, b, w(), of(with.ones, a), of(with.ones, a));
       }},
      // Sequences of one token: every row has position 0. The ones serve as sines and cosines.
      {"rope",
       [&](Stream& s, Out y, In a, In) {
         const Shape heads{a.shape.rows(), 1, columns / 64, 64};
         const In angles{with.ones.memory.data(), DType::f32, {1, 32}};
         level.rope(s, {y.data, y.dtype, heads}, {a.data, a.dtype, heads}, angles, angles, {});
       }},
  };
}

TEST(AroundCaches, LargeResultsHaveTheBitsOfTheirParts) {
  for (const KernelTable* runnable : runnable_levels(cpu_device)) {
    const KernelTable& level = *runnable;
    for (DType dtype : {DType::f32, DType::bf16}) {
      // Just more than 16 MiB.
      const std::int64_t rows =
          (std::int64_t(16) << 20) / (columns * std::int64_t(size_of(dtype))) + 3;
      const Array a = normal(dtype, {rows, columns}, 1), b = normal(dtype, {rows, columns}, 2);
      const Operands with(dtype, rows);
      const Array whole(dtype, {rows, columns}), part(dtype, {rows_of_part, columns});
      for (const auto& [name, compute] : cases(level, with)) {
        SCOPED_TRACE(text(level.level, ", ", name, ", ", dtype));
        Stream stream(cpu_device, 2), one(cpu_device, 1);
        compute(stream, whole.rows(0, rows), a.rows(0, rows), b.rows(0, rows));
        for (std::int64_t first = 0; first < rows; first += rows_of_part) {
          const std::int64_t count = std::min(rows_of_part, rows - first);
          compute(one, part.rows(0, count), a.rows(first, count), b.rows(first, count));
          ASSERT_EQ(std::memcmp(whole.rows(first, count).data, part.memory.data(),
                                part.rows(0, count).bytes()),
                    0)
              << "rows from " << first;
        }
      }
    }
  }
}

/// Weights of one piece of memory each, in two tensors, the second of which begins at an odd element.
struct LargeWeights {
  static constexpr std::int64_t first_count = 4'000'001, count = 9'000'000;
  Array master = normal(DType::f32, {1, count}, 1), grad = normal(DType::f32, {1, count}, 2);
  Array exp_avg = normal(DType::f32, {1, count}, 3), exp_avg_sq{DType::f32, {1, count}};
  Array param{DType::bf16, {1, count}};

  explicit LargeWeights(const KernelTable& level) {
    Stream stream(cpu_device, 2);
    level.fill(stream, exp_avg_sq.rows(0, 1), 1.0);
  }
  static Out cut(const Array& all, std::int64_t first) {
    const std::int64_t n = first == 0 ? first_count : count - first_count;
    return {all.memory.data() + std::size_t(first) * size_of(all.dtype), all.dtype, {n}};
  }
  std::vector<OptimizerSlice> slices() const {
    std::vector<OptimizerSlice> slices;
    for (const std::int64_t first : {std::int64_t(0), first_count})
      slices.push_back({.master = cut(master, first),
                        .exp_avg = cut(exp_avg, first),
                        .exp_avg_sq = cut(exp_avg_sq, first),
                        .param = cut(param, first),
                        .grad = cut(grad, first),
                        .lr = 0.1,
                        .weight_decay = 0.1});
    return slices;
  }
};

TEST(AroundCaches, LargeWeightsAreTheMasterRounded) {
  constexpr std::int64_t piece = 100'000;
  for (const KernelTable* level : runnable_levels(cpu_device)) {
    const LargeWeights weights(*level);
    const Array rounded(DType::bf16, {1, piece});
    Stream stream(cpu_device, 2);
    level->adamw(stream, weights.slices(), {.step = 2});
    for (std::int64_t first = 0; first < LargeWeights::count; first += piece) {
      In master = LargeWeights::cut(weights.master, first);
      master.shape = {piece};
      level->cast(stream, rounded.rows(0, 1), master);
      ASSERT_EQ(std::memcmp(rounded.memory.data(), LargeWeights::cut(weights.param, first).data,
                            rounded.rows(0, 1).bytes()),
                0)
          << level->level << ", from " << first;
    }
  }
}

TEST(AroundCaches, LargeStatesBesideTheOldOnesAreThoseInPlace) {
  for (const KernelTable* level : runnable_levels(cpu_device)) {
    const LargeWeights old(*level), fresh(*level);
    std::vector<OptimizerSlice> in_place = old.slices(), beside = fresh.slices();
    for (std::size_t i = 0; i < beside.size(); ++i) {
      beside[i].old_master = in_place[i].master;
      beside[i].old_exp_avg = in_place[i].exp_avg;
      beside[i].old_exp_avg_sq = in_place[i].exp_avg_sq;
    }
    Stream stream(cpu_device, 2);
    level->adamw(stream, beside, {.step = 2});
    level->adamw(stream, in_place, {.step = 2});
    const auto same = [](const Array& a, const Array& b) {
      return std::memcmp(a.memory.data(), b.memory.data(), a.rows(0, 1).bytes()) == 0;
    };
    EXPECT_TRUE(same(fresh.master, old.master)) << level->level;
    EXPECT_TRUE(same(fresh.exp_avg, old.exp_avg)) << level->level;
    EXPECT_TRUE(same(fresh.exp_avg_sq, old.exp_avg_sq)) << level->level;
    EXPECT_TRUE(same(fresh.param, old.param)) << level->level;
  }
}

}  // namespace
}  // namespace boostr::testing
