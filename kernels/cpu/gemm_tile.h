#pragma once

#include "kernels/cpu/gemm_words.h"

// The innermost loop: one tile of C, held in registers, times the whole depth of a packed block.
namespace boostr::cpu::BOOSTR_ISA {

/// Where a tile's sums go: c[i, j] = sum + partial[i, j] + bias[j] (+ c[i, j]).
template <class W, class C>
struct TileTarget {
  C* c = nullptr;
  std::int64_t c_stride = 0;
  const typename W::Sum* partial =
      nullptr;  ///< sums over earlier blocks of K, where c cannot hold them; may be null
  std::int64_t partial_stride = 0;
  const typename W::Storage* bias = nullptr;  ///< may be null
  bool accumulate = false;
  std::int64_t rows = W::tile_rows, columns = W::tile_columns;

  /// Writes one vector of row i, beginning at column j, of which n lanes exist.
  void write(std::int64_t i, std::int64_t j, Vec<typename W::Sum> sum, std::int64_t n) const {
    C* out = c + i * c_stride + j;
    if (partial != nullptr) sum += load_n(partial + i * partial_stride + j, n);
    if (bias != nullptr) sum += load_n(bias + j, n);
    if (accumulate) sum += load_n(out, n);
    store_n(out, sum, n);
  }
};

/// What a thread holds while it multiplies tiles.
template <class W>
struct TileUnit {};

/// a: one strip [words][tile_rows], b: one strip [words][tile_columns].
template <class W, class C>
[[gnu::noinline]] void multiply_tile(std::int64_t words, const typename W::Word* a,
                                     const typename W::Word* b, const TileTarget<W, C>& target) {
  using Sum = typename W::Sum;
  using Word = typename W::Word;
  constexpr int tile_rows = W::tile_rows;
  constexpr int width = lanes<Sum>;
  constexpr int prefetch_distance =
      16 * width;  // 8 steps ahead: b comes from the second-level cache
  const bool whole = target.rows == tile_rows && target.columns == 2 * width;
  if (whole) {
#pragma GCC unroll 16
    for (int i = 0; i < tile_rows; ++i) __builtin_prefetch(target.c + i * target.c_stride);
  }
  Vec<Sum> sums[tile_rows][2] = {};
  for (std::int64_t k = 0; k < words; ++k, a += tile_rows, b += 2 * width) {
    Vec<Word> b0, b1;
    std::memcpy(&b0, b, sizeof b0);
    std::memcpy(&b1, b + width, sizeof b1);
    __builtin_prefetch(b + prefetch_distance);
    if constexpr (sizeof(Vec<Word>) == 64) __builtin_prefetch(b + prefetch_distance + width);
#pragma GCC unroll 16
    for (int i = 0; i < tile_rows; ++i) {
      const Vec<Word> ai = splat(a[i]);
      sums[i][0] = W::multiply_add(ai, b0, sums[i][0]);
      sums[i][1] = W::multiply_add(ai, b1, sums[i][1]);
    }
  }
  if (whole) {
#pragma GCC unroll 16
    for (int i = 0; i < tile_rows; ++i) {
      target.write(i, 0, sums[i][0], width);
      target.write(i, width, sums[i][1], width);
    }
    return;
  }
  // A copy, so that the indexing by a variable below does not push the sums themselves out of the
  // registers.
  Vec<Sum> edge[tile_rows][2];
#pragma GCC unroll 16
  for (int i = 0; i < tile_rows; ++i) {
    edge[i][0] = sums[i][0];
    edge[i][1] = sums[i][1];
  }
  const std::int64_t first = std::min<std::int64_t>(width, target.columns);
  for (std::int64_t i = 0; i < target.rows; ++i) {
    target.write(i, 0, edge[i][0], first);
    if (target.columns > width) target.write(i, width, edge[i][1], target.columns - width);
  }
}

}  // namespace boostr::cpu::BOOSTR_ISA
