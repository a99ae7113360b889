#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/cpu/parallel_for.h"
#include "kernels/kernel_table.h"

// Random words by counter: integers only, so that every instruction set makes the same ones.
namespace boostr::cpu::BOOSTR_ISA {

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): four
/// random words from a counter of four words under a key of two.
inline std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  auto [c0, c1, c2, c3] = counter;
  auto [k0, k1] = key;
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0, p1 = std::uint64_t{0xCD9E8D57u} * c2;
    c0 = std::uint32_t(p1 >> 32) ^ c1 ^ k0;
    c1 = std::uint32_t(p1);
    c2 = std::uint32_t(p0 >> 32) ^ c3 ^ k1;
    c3 = std::uint32_t(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {c0, c1, c2, c3};
}

/// The words of elements 4 block .. 4 block + 3 of the sequence `key`: the seed is Philox's key,
/// the block the lower half of its counter, the stream the upper.
inline std::array<std::uint32_t, 4> random_words(RandomKey key, std::uint64_t block) {
  return philox4x32_10({std::uint32_t(block), std::uint32_t(block >> 32), std::uint32_t(key.stream),
                        std::uint32_t(key.stream >> 32)},
                       {std::uint32_t(key.seed), std::uint32_t(key.seed >> 32)});
}

/// Calls body(i, words, n) for pieces that cover elements [0, count): words[j] is the word of
/// global element first + i + j, j < n <= 64.
template <class Body>
void for_each_word(RandomKey key, std::uint64_t first, std::int64_t count, Body&& body) {
  constexpr int blocks = 16;
  std::uint32_t words[4 * blocks];
  for (std::int64_t i = 0; i < count;) {
    const std::uint64_t element = first + std::uint64_t(i);
    for (int block = 0; block < blocks; ++block) {
      const auto four = random_words(key, element / 4 + std::uint64_t(block));
      for (int word = 0; word < 4; ++word) words[4 * block + word] = four[word];
    }
    const auto skipped = std::int64_t(element % 4);
    const std::int64_t n = std::min(count - i, 4 * blocks - skipped);
    body(i, words + skipped, n);
    i += n;
  }
}

/// Calls body(i, words, n), in parallel, for pieces that cover a view of `shape`: words[j] belongs
/// to the view's element i + j, whose number is its place in the whole that `index` describes.
template <class Body>
void for_each_random_word(const Stream& stream, const Shape& shape, RandomKey key,
                          GlobalIndex index, Body&& body) {
  constexpr std::int64_t piece = 4096;
  const bool contiguous = index.row_stride == 0 || index.row_stride == shape.back();
  const std::int64_t width = contiguous ? shape.numel() : shape.back();
  const std::int64_t stride = contiguous ? width : index.row_stride;
  if (width == 0) return;
  const std::int64_t rows = shape.numel() / width, pieces = (width + piece - 1) / piece;
  const std::int64_t grain = piece / std::min(piece, width);
  parallel_for(stream, rows * pieces, grain, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t k = first; k < last; ++k) {
      const std::int64_t row = k / pieces, column = k % pieces * piece;
      const auto element = std::uint64_t(index.first + row * stride + column);
      for_each_word(key, element, std::min(piece, width - column),
                    [&](std::int64_t i, const std::uint32_t* words, std::int64_t n) {
                      body(row * width + column + i, words, n);
                    });
    }
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
