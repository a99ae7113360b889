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

  /// Writes one vector of row i, beginning at column j, of which n lanes exist. `Added` says whether
  /// partial or bias is there.
  template <bool Added, bool Accumulate>
  void write(std::int64_t i, std::int64_t j, Vec<typename W::Sum> sum, std::int64_t n) const {
    C* out = c + i * c_stride + j;
    if constexpr (Added) {
      if (partial != nullptr) sum += load_n(partial + i * partial_stride + j, n);
      if (bias != nullptr) sum += load_n(bias + j, n);
    }
    if constexpr (Accumulate) sum += load_n(out, n);
    store_n(out, sum, n);
  }

  /// Calls body<Added, Accumulate>(), so that what is added is asked once for a tile.
  template <class Body>
  void with_case(Body&& body) const {
    if (partial != nullptr || bias != nullptr)
      accumulate ? body.template operator()<true, true>() : body.template operator()<true, false>();
    else
      accumulate ? body.template operator()<false, true>()
                 : body.template operator()<false, false>();
  }

  /// Fetches the tile's rows of c ahead of writing them.
  void prefetch() const {
    constexpr int line = 64 / sizeof(C);
    for (std::int64_t i = 0; i < rows; ++i)
      for (int j = 0; j < W::tile_columns; j += line) __builtin_prefetch(c + i * c_stride + j, 1);
  }
};

/// What a thread holds while it multiplies tiles.
template <class W>
struct TileUnit {};

/// tile_rows rows of the left factor as a tile reads them: packed as [words][tile_rows], or in
/// place, each row's words side by side and the rows `stride` words apart.
template <class W>
struct PackedLeft {
  const typename W::Word* at;

  Vec<typename W::Word> broadcast(int row) const { return splat(at[row]); }
  void next() { at += W::tile_rows; }
};
template <class W>
struct LeftInPlace {
  const typename W::Storage* at;
  std::int64_t stride;

  Vec<typename W::Word> broadcast(int row) const {
    typename W::Word word;
    std::memcpy(&word, at + row * stride, sizeof word);
    return splat(word);
  }
  void next() { at += W::depth; }
};

/// The sums of one tile in registers, of which only the first `Vectors` vectors of columns are
/// wanted.
template <class W, int Vectors>
struct TileSums {
  using Sum = typename W::Sum;
  using Word = typename W::Word;
  static constexpr int width = lanes<Sum>;

  /// += `words` columns of a's strip times as many rows of b's; advances both.
  template <class Left>
  [[gnu::always_inline]] void add_product(std::int64_t words, Left& a, const Word*& b) {
    constexpr int ahead = 8 * W::tile_columns;  // b comes from the second-level cache
    for (std::int64_t k = 0; k < words; ++k, a.next(), b += W::tile_columns) {
      Vec<Word> columns[Vectors];
#pragma GCC unroll 4
      for (int j = 0; j < Vectors; ++j) {
        std::memcpy(&columns[j], b + j * width, sizeof columns[j]);
        if (j * sizeof columns[j] % 64 == 0) __builtin_prefetch(b + ahead + j * width);
      }
#pragma GCC unroll 16
      for (int i = 0; i < W::tile_rows; ++i) {
        const Vec<Word> ai = a.broadcast(i);
#pragma GCC unroll 4
        for (int j = 0; j < Vectors; ++j) rows[i][j] = W::multiply_add(ai, columns[j], rows[i][j]);
      }
    }
  }

  Vec<Sum> rows[W::tile_rows][Vectors] = {};
};

template <int Vectors, class W, class C, class Left>
[[gnu::noinline]] void multiply_tile(std::int64_t words, Left a, const typename W::Word* b,
                                     const TileTarget<W, C>& target) {
  constexpr int width = lanes<typename W::Sum>;
  // c is fetched some hundred cycles before the end: the strips of b that pass through the
  // first-level cache would drive it out again.
  const std::int64_t last_words = std::min<std::int64_t>(words, 48);
  const bool whole = target.rows == W::tile_rows && target.columns == Vectors * width;
  TileSums<W, Vectors> sums;
  sums.add_product(words - last_words, a, b);
  if (whole) target.prefetch();
  sums.add_product(last_words, a, b);
  if (whole) {
    target.with_case([&]<bool Added, bool Accumulate>() {
#pragma GCC unroll 16
      for (int i = 0; i < W::tile_rows; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < Vectors; ++j)
          target.template write<Added, Accumulate>(i, j * width, sums.rows[i][j], width);
    });
    return;
  }
  // A copy, so that the indexing by a variable below does not push the sums themselves out of the
  // registers.
  Vec<typename W::Sum> edge[W::tile_rows][Vectors];
#pragma GCC unroll 16
  for (int i = 0; i < W::tile_rows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) edge[i][j] = sums.rows[i][j];
  target.with_case([&]<bool Added, bool Accumulate>() {
    for (std::int64_t i = 0; i < target.rows; ++i)
      for (int j = 0; j < Vectors; ++j)
        target.template write<Added, Accumulate>(
            i, j * width, edge[i][j], std::min<std::int64_t>(width, target.columns - j * width));
  });
}

/// a: one strip, b: one strip [words][tile_columns].
template <class W, class C, class Left>
void multiply_tile(std::int64_t words, Left a, const typename W::Word* b,
                   const TileTarget<W, C>& target) {
  constexpr int width = lanes<typename W::Sum>;
  static_assert(simd_tile_vectors <= 3);
  if (target.columns > 2 * width) {
    multiply_tile<simd_tile_vectors>(words, a, b, target);
  } else if (target.columns > width) {
    multiply_tile<2>(words, a, b, target);
  } else {
    multiply_tile<1>(words, a, b, target);
  }
}

}  // namespace boostr::cpu::BOOSTR_ISA
