#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "kernels/cpu/pack.h"
#include "kernels/cpu/parallel_for.h"
#include "kernels/runtime/view.h"

// Loops over a matrix [rows, columns] (every dimension but the last is a row), and the sums along
// and across its rows in an order that only the shape and the instruction set decide.
namespace boostr::cpu::BOOSTR_ISA {

/// Elements that are worth a thread in a kernel bound by memory.
inline constexpr std::int64_t elementwise_grain = 16384;

/// Bytes from which on a result would only push out of the caches what is used again, and is stored
/// around them: several times the L2 of a core. Smaller ones are often still in L3 when the next
/// kernel reads them.
inline constexpr std::size_t larger_than_caches = std::size_t(16) << 20;

/// Whether y is such a result, and each of its rows begins where stores around the caches may.
inline bool goes_around_caches(const Out& y, std::int64_t row_bytes = simd_bytes) {
  return y.bytes() >= larger_than_caches && row_bytes % simd_bytes == 0 &&
         reinterpret_cast<std::uintptr_t>(y.data) % simd_bytes == 0;
}
/// The same for rows as y's shape has them.
inline bool rows_go_around_caches(const Out& y) {
  return goes_around_caches(y, y.shape.back() * std::int64_t(size_of(y.dtype)));
}

/// Calls body(row) for every row of `shape`, or body(row, thread).
template <class Body>
void for_each_row(const Stream& stream, const Shape& shape, Body&& body) {
  const std::int64_t grain =
      std::max<std::int64_t>(1, elementwise_grain / std::max<std::int64_t>(1, shape.back()));
  parallel_for(stream, shape.rows(), grain, [&](std::int64_t first, std::int64_t last, int thread) {
    for (std::int64_t row = first; row < last; ++row) {
      if constexpr (std::is_invocable_v<Body&, std::int64_t, int>)
        body(row, thread);
      else
        body(row);
    }
    finish_stores_around_caches();
  });
}

/// Folds a row of `count` elements: step(chain, i, n) takes elements i .. i + n - 1 into a chain
/// that began as `start`, and join(a, b) returns two chains in one. Four chains hide the latency of
/// one.
template <int step_size, class Chain, class Step, class Join>
[[gnu::flatten]] inline Chain fold_row(std::int64_t count, Chain start, Step&& step, Join&& join) {
  Chain chain[4] = {start, start, start, start};
  std::int64_t i = 0;
  for (; i + 4 * step_size <= count; i += 4 * step_size) {
    step(chain[0], i, step_size);
    step(chain[1], i + step_size, step_size);
    step(chain[2], i + 2 * step_size, step_size);
    step(chain[3], i + 3 * step_size, step_size);
  }
  for (; i < count; i += step_size) step(chain[0], i, std::min<std::int64_t>(step_size, count - i));
  return join(join(chain[0], chain[1]), join(chain[2], chain[3]));
}

/// A sum along a row, of packs with 0 in the lanes past its end.
template <class A>
class RowSum {
 public:
  template <int n>
  void add(const Pack<A, n>& terms) {
    for (int k = 0; k < n; ++k) sum_.part[k] += terms.part[k];
  }
  A total() const {
    static_assert(pack_size == 4);
    return reduce_add((sum_.part[0] + sum_.part[1]) + (sum_.part[2] + sum_.part[3]));
  }

 private:
  Pack<A, pack_size> sum_{};
};

/// Sum in A of term(piece) over the pieces of a row of `count` elements, whose arithmetic is in E.
template <class A, class E = A, class Term>
inline A sum_row(std::int64_t count, Term&& term) {
  RowSum<A> sum;
  for_each_piece<E>(count, [&](auto piece) { sum.add(term(piece)); });
  return sum.total();
}

/// Maximum of a row's elements; of NaN and a number, either.
template <class S, class A = Accumulator<S>>
inline A max_row(const S* x, std::int64_t count) {
  constexpr A lowest = -std::numeric_limits<A>::infinity();
  return reduce_max(fold_row<lanes<A>>(
      count, splat(lowest),
      [&](Vec<A>& most, std::int64_t i, std::int64_t n) {
        most = max(most, load_n(x + i, n, lowest));
      },
      [](Vec<A> a, Vec<A> b) { return max(a, b); }));
}

/// Rows whose sum is formed in one go by sum_columns.
inline constexpr std::int64_t rows_per_block = 64;

/// out[i] = (accumulate ? out[i] : 0) + sum over `rows` rows of term(row, i, n), a vector of
/// columns i .. i + n - 1. Each block of rows streams through once into its own line of scratch,
/// which stays in cache; then the lines are added.
template <class A, class Term>
void sum_columns(Stream& stream, Out out, std::int64_t rows, bool accumulate, Term&& term) {
  const std::int64_t columns = out.shape.numel();
  const std::int64_t blocks = (rows + rows_per_block - 1) / rows_per_block;
  A* const partial =
      reinterpret_cast<A*>(stream.scratch(std::size_t(blocks * columns) * sizeof(A)));
  if (partial == nullptr) return;
  parallel_chunks(stream, rows, rows_per_block,
                  [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
                    A* const line = partial + block * columns;
                    std::fill_n(line, columns, A(0));
                    std::int64_t row = begin;
                    for (; row + 4 <= end; row += 4) {
                      for_each_vector(columns, lanes<A>, [&](std::int64_t i, std::int64_t n) {
                        const Vec<A> four = (term(row, i, n) + term(row + 1, i, n)) +
                                            (term(row + 2, i, n) + term(row + 3, i, n));
                        store_n(line + i, load_n(line + i, n) + four, n);
                      });
                    }
                    for (; row < end; ++row) {
                      for_each_vector(columns, lanes<A>, [&](std::int64_t i, std::int64_t n) {
                        store_n(line + i, load_n(line + i, n) + term(row, i, n), n);
                      });
                    }
                  });
  parallel_for(stream, columns, elementwise_grain / rows_per_block,
               [&](std::int64_t begin, std::int64_t end) {
                 for_each_vector(end - begin, lanes<A>, [&](std::int64_t offset, std::int64_t n) {
                   const std::int64_t i = begin + offset;
                   Vec<A> sum{};
                   for (std::int64_t block = 0; block < blocks; ++block)
                     sum += load_n(partial + block * columns + i, n);
                   A* const target = out.as<A>() + i;
                   store_n(target, accumulate ? load_n(target, n) + sum : sum, n);
                 });
               });
}

}  // namespace boostr::cpu::BOOSTR_ISA
