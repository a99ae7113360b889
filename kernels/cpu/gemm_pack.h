#pragma once

#include "kernels/cpu/gemm_words.h"
#include "kernels/cpu/parallel_for.h"
#include "kernels/cpu/transpose.h"

// Packing: copies a block of a matrix into "strips" in the order in which tiles read it.
namespace boostr::cpu::BOOSTR_ISA {

/// A factor of the product as its rows see it: op(a)[M, K], or op(b)[K, N] turned to [N, K].
/// Element (row, k) lies at data[row * stride + k] if k_contiguous, else at data[k * stride + row].
template <class S>
struct Factor {
  const S* data = nullptr;
  std::int64_t rows = 0, depth = 0;
  std::int64_t stride = 0;
  bool k_contiguous = false;

  const S* at(std::int64_t row, std::int64_t k) const {
    return data + (k_contiguous ? row * stride + k : k * stride + row);
  }
};

/// Elements along K that packing fetches ahead: four cache lines.
template <class W>
inline constexpr std::int64_t pack_ahead = 256 / sizeof(typename W::Storage);

/// Words that packing may write past the end of the last strip.
template <class Word>
inline constexpr int pack_slack = lanes<Word>;

/// The words of `Rows` rows from `row` on, `lanes` of each from k.begin on, transposed:
/// squares[g][i] holds word i of rows g * lanes, g * lanes + 1, ... With `Whole` all of them exist;
/// else the missing are 0.
template <class W, int Rows, bool Whole, int Groups>
inline void load_transposed(const Factor<typename W::Storage>& x, std::int64_t row, Range k,
                            Vec<typename W::Word> (&squares)[Groups][lanes<typename W::Word>]) {
  using Word = typename W::Word;
  constexpr int width = lanes<Word>;
  const std::int64_t elements = Whole ? width * W::depth : k.size();
#pragma GCC unroll 4
  for (int g = 0; g < Groups; ++g) {
#pragma GCC unroll 16
    for (int i = 0; i < width; ++i) {
      const int r = g * width + i;
      const bool exists = r < Rows && (Whole || row + r < x.rows);
      // So many rows are more streams than a processor's prefetchers follow.
      if (Whole && r < Rows) __builtin_prefetch(x.at(row + r, k.begin) + pack_ahead<W>);
      squares[g][i] = exists ? W::load_along_k(x.at(row + r, k.begin), elements) : Vec<Word>{};
    }
    transpose<Word>(squares[g]);
  }
}

/// One strip from a K-contiguous factor.
template <class W, int Rows>
void pack_strip_k_contiguous(const Factor<typename W::Storage>& x, std::int64_t row, Range k,
                             typename W::Word* strip) {
  using Word = typename W::Word;
  constexpr int width = lanes<Word>;
  constexpr int groups = (Rows + width - 1) / width;
  // Where a group reaches past the end of a strip's row, the next row overwrites it: k must ascend.
  const auto store_words = [&](const Vec<Word>(&squares)[groups][width], std::int64_t words) {
#pragma GCC unroll 16
    for (int i = 0; i < width; ++i) {
      if (i >= words) break;
#pragma GCC unroll 4
      for (int g = 0; g < groups; ++g)
        std::memcpy(strip + i * Rows + g * width, &squares[g][i], sizeof(Vec<Word>));
    }
    strip += words * Rows;
  };
  Vec<Word> squares[groups][width];
  constexpr std::int64_t step = width * W::depth;
  std::int64_t k0 = k.begin;
  for (; row + Rows <= x.rows && k0 + step <= k.end; k0 += step) {
    load_transposed<W, Rows, true>(x, row, {k0, k0 + step}, squares);
    store_words(squares, width);
  }
  for (; k0 < k.end; k0 += step) {
    load_transposed<W, Rows, false>(x, row, {k0, k.end}, squares);
    store_words(squares, std::min<std::int64_t>(width, (k.end - k0 + W::depth - 1) / W::depth));
  }
}

/// One row (fixed k) of a strip from a row-contiguous factor. With `spill`, whole vectors may be
/// read and written.
template <class W, int Rows>
inline void pack_row(const typename W::Storage* p, const typename W::Storage* next,
                     std::int64_t rows, bool spill, typename W::Word* out) {
  using Word = typename W::Word;
  if (spill) {
    for (int r = 0; r < Rows; r += lanes<Word>) {
      const Vec<Word> words = W::load_across(p + r, next == nullptr ? nullptr : next + r);
      std::memcpy(out + r, &words, sizeof words);
    }
    return;
  }
  for (int r = 0; r < Rows; ++r) {
    out[r] = r < rows ? W::load_one(p + r, next == nullptr ? nullptr : next + r) : Word{};
  }
}

/// Zeros for the words [held, words) of every strip.
template <int Rows, class Word>
void fill_up(std::int64_t strips, std::int64_t held, std::int64_t words, Word* out) {
  if (held == words) return;
  for (std::int64_t s = 0; s < strips; ++s)
    std::fill(out + (s * words + held) * Rows, out + (s + 1) * words * Rows, Word{});
}

/// Packs rows [rows.begin, rows.end) and elements [k.begin, k.end) of x: strip after strip of
/// `Rows` rows, each as [words along K][Rows]. The last strip is filled up with zeros to `Rows`
/// rows, every strip to `words` words.
template <class W, int Rows>
void pack(const Factor<typename W::Storage>& x, Range rows, Range k, std::int64_t words,
          typename W::Word* out) {
  using Word = typename W::Word;
  const std::int64_t held = (k.size() + W::depth - 1) / W::depth;
  const std::int64_t strips = (rows.size() + Rows - 1) / Rows;
  Factor<typename W::Storage> part = x;
  part.rows = rows.end;
  if (x.k_contiguous) {
    for (std::int64_t s = 0; s < strips; ++s) {
      pack_strip_k_contiguous<W, Rows>(part, rows.begin + s * Rows, k, out + s * words * Rows);
    }
    fill_up<Rows>(strips, held, words, out);
    return;
  }
  // Strips side by side, so that long pieces of a source row are read at once.
  constexpr std::int64_t together = 32;
  constexpr int reach = (Rows + lanes<Word> - 1) / lanes<Word> * lanes<Word>;
  const std::int64_t ahead = 2 * W::depth * x.stride;
  for (std::int64_t s0 = 0; s0 < strips; s0 += together) {
    for (std::int64_t i = 0; i < held; ++i) {
      const std::int64_t at = k.begin + i * W::depth;
      for (std::int64_t s = s0; s < std::min(strips, s0 + together); ++s) {
        const std::int64_t row = rows.begin + s * Rows;
        const auto* p = x.at(row, at);
        const auto* next = at + 1 < k.end ? p + x.stride : nullptr;
        for (int r = 0; r < Rows; r += 64 / int(sizeof *p)) __builtin_prefetch(p + r + ahead);
        // The last row of a strip may not spill: the next strip has begun already.
        const bool spill = row + reach <= rows.end && (i + 1 < held || reach == Rows);
        pack_row<W, Rows>(p, next, rows.end - row, spill, out + (s * words + i) * Rows);
      }
    }
  }
  fill_up<Rows>(strips, held, words, out);
}

/// Packs the left factor. A tile unit has a layout of its own for it.
template <class W>
void pack_left(const Factor<typename W::Storage>& a, Range rows, Range k, std::int64_t words,
               typename W::Word* out) {
  pack<W, W::tile_rows>(a, rows, k, words, out);
}

}  // namespace boostr::cpu::BOOSTR_ISA
