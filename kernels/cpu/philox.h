#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/cpu/parallel_for.h"
#include "kernels/cpu/simd.h"
#include "kernels/kernel_table.h"

// Random words by counter: integers only, so that every instruction set makes the same ones.
namespace boostr::cpu::BOOSTR_ISA {

/// A word per 64-bit lane, in its lower half. The upper halves may hold anything: no step reads
/// them.
using Words = Vec<std::uint64_t>;

/// The whole product of each word and `factor`.
inline Words multiply_words(Words words, std::uint32_t factor) {
#if defined(BOOSTR_SIMD_AVX512)
  return reinterpret_cast<Words>(
      _mm512_maskz_mul_epu32(0xff, reinterpret_cast<__m512i>(words), _mm512_set1_epi64(factor)));
#elif defined(BOOSTR_SIMD_AVX2)
  return reinterpret_cast<Words>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(words), _mm256_set1_epi64x(factor)));
#else
  return (words & 0xFFFFFFFFu) * std::uint64_t{factor};
#endif
}

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): in every
/// lane four random words from a counter of four words under a key of two.
inline std::array<Words, 4> philox4x32_10(std::array<Words, 4> counter,
                                          std::array<std::uint32_t, 2> key) {
  auto [c0, c1, c2, c3] = counter;
  auto [k0, k1] = key;
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const Words p0 = multiply_words(c0, 0xD2511F53u), p1 = multiply_words(c2, 0xCD9E8D57u);
    c0 = (p1 >> 32) ^ c1 ^ std::uint64_t{k0};
    c1 = p1;
    c2 = (p0 >> 32) ^ c3 ^ std::uint64_t{k1};
    c3 = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {c0, c1, c2, c3};
}

/// Blocks of four words that random_words makes at once.
inline constexpr int blocks_at_once = lanes<std::uint64_t>;

/// The words of elements 4 block .. 4 (block + blocks_at_once) - 1 of the sequence `key`: the seed
/// is Philox's key, the block the lower half of its counter, the stream the upper.
inline void random_words(std::uint32_t* words, RandomKey key, std::uint64_t block) {
  Words blocks;
  for (int lane = 0; lane < blocks_at_once; ++lane) blocks[lane] = block + std::uint64_t(lane);
  const auto [w0, w1, w2, w3] =
      philox4x32_10({blocks, blocks >> 32, splat(key.stream), splat(key.stream >> 32)},
                    {std::uint32_t(key.seed), std::uint32_t(key.seed >> 32)});
  const Words first = (w0 & 0xFFFFFFFFu) | (w1 << 32), second = (w2 & 0xFFFFFFFFu) | (w3 << 32);
  for (int lane = 0; lane < blocks_at_once; ++lane) {
    const std::uint64_t pairs[] = {first[lane], second[lane]};
    std::memcpy(words + 4 * lane, pairs, sizeof pairs);
  }
}

/// The most words that the bodies below are given at once.
inline constexpr int words_at_once = 256;

/// Calls body(i, words, n) for pieces that cover elements [0, count): words[j] is the word of
/// global element first + i + j, j < n <= words_at_once.
template <class Body>
void for_each_word(RandomKey key, std::uint64_t first, std::int64_t count, Body&& body) {
  std::uint32_t words[words_at_once];
  for (std::int64_t i = 0; i < count;) {
    const std::uint64_t element = first + std::uint64_t(i);
    const auto skipped = std::int64_t(element % 4);
    const std::int64_t n = std::min(count - i, words_at_once - skipped);
    for (std::int64_t word = 0; word < skipped + n; word += 4 * blocks_at_once)
      random_words(words + word, key, element / 4 + std::uint64_t(word / 4));
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
