#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/parallel_for.h"
#include "kernels/cpu/simd.h"
#include "kernels/runtime/view.h"

// Loops over a matrix [rows, columns] (every dimension but the last is a row), and the sums along
// and across its rows in an order that only the shape and the instruction set decide.
namespace boostr::cpu::BOOSTR_ISA {

/// Elements that are worth a thread in a kernel bound by memory.
inline constexpr std::int64_t elementwise_grain = 16384;

/// Calls body(row) for every row of `shape`.
template <class Body>
void for_each_row(const Stream& stream, const Shape& shape, Body&& body) {
  const std::int64_t grain =
      std::max<std::int64_t>(1, elementwise_grain / std::max<std::int64_t>(1, shape.back()));
  parallel_for(stream, shape.rows(), grain, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t row = first; row < last; ++row) body(row);
  });
}

/// Sum of term(i, n), a vector of elements i .. i + n - 1 with 0 in the lanes past n, over a row of
/// `count` elements. Four chains of additions hide the latency of one.
template <class A, class Term>
inline A sum_row(std::int64_t count, Term&& term) {
  constexpr std::int64_t step = lanes<A>;
  Vec<A> sum[4] = {};
  std::int64_t i = 0;
  for (; i + 4 * step <= count; i += 4 * step) {
    for (int chain = 0; chain < 4; ++chain) sum[chain] += term(i + chain * step, step);
  }
  for_each_vector(count - i, step,
                  [&](std::int64_t j, std::int64_t n) { sum[0] += term(i + j, n); });
  return reduce_add((sum[0] + sum[1]) + (sum[2] + sum[3]));
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
