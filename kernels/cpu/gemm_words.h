#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "kernels/cpu/simd.h"

// What a matrix multiplication does with one number: how it is stored while packed ("word"), and
// how two words are multiplied into a sum. All the rest (packing, blocking, tiles) is the same for
// every type.
namespace boostr::cpu::BOOSTR_ISA {

/// A tile of C in registers, rows x vectors: with the vectors of b and one of a it fills 15 of 16
/// registers on AVX2, 31 of 32 elsewhere. Of the shapes that hide the latency the one with the
/// fewest loads per multiply-add is the fastest where power limits the clock: 9 x 3 (0.44) is 6 %
/// ahead of 14 x 2 (0.57).
inline constexpr int simd_tile_rows = simd_bytes == 32 ? 6 : 9;
inline constexpr int simd_tile_vectors = simd_bytes == 32 ? 2 : 3;

/// Elements of type S, widened to the type that sums are kept in: one word per element.
template <class S>
struct WidenedWords {
  using Storage = S;
  using Sum = Accumulator<S>;
  using Word = Sum;
  static constexpr int depth = 1;  ///< elements along K per word
  static constexpr int grain =
      1;  ///< blocks are filled up with zeros to a multiple of so many words
  static constexpr int tile_rows = simd_tile_rows;
  static constexpr int tile_columns = simd_tile_vectors * lanes<Sum>;
  /// Measured: packing a word costs as much time as so many multiply-adds of words.
  static constexpr double packing_cost = 28;
  static constexpr int block_words = 2048 / int(sizeof(Word));  ///< depth of a packed block
  /// Words lie in a K-contiguous factor as they are: tiles can read it without packing.
  static constexpr bool lie_in_place = std::is_same_v<S, Word>;

  static Vec<Sum> multiply_add(Vec<Word> a, Vec<Word> b, Vec<Sum> sum) { return sum + a * b; }
  /// The words of the `lanes` elements p[0], p[1], ... along K, of which n exist; the rest are 0.
  static Vec<Word> load_along_k(const S* p, std::int64_t n) {
    return n >= lanes<Word> ? load(p) : load_partial(p, n);
  }
  /// The words of `lanes` neighbouring rows at one k; `p` points at its elements, `next` at those
  /// of k + 1.
  static Vec<Word> load_across(const S* p, const S* /*next*/) { return load(p); }
  static Word load_one(const S* p, const S* /*next*/) { return static_cast<Word>(*p); }
};

/// Two bf16 neighbours along K in 32 bits, the first in the lower half: what AVX512-BF16 multiplies
/// in one instruction.
struct PairedWords {
  using Storage = BFloat16;
  using Sum = float;
  using Word = std::uint32_t;
  static constexpr int depth = 2;
  static constexpr int grain = 1;
  static constexpr int tile_rows = simd_tile_rows;
  static constexpr int tile_columns = simd_tile_vectors * lanes<float>;
  static constexpr double packing_cost = 28;
  static constexpr int block_words = 512;
  static constexpr bool lie_in_place = true;

  static Vec<float> multiply_add(Vec<Word> a, Vec<Word> b, Vec<float> sum) {
#if defined(__AVX512BF16__)
    return reinterpret_cast<Vec<float>>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum),
                                                         reinterpret_cast<__m512bh>(a),
                                                         reinterpret_cast<__m512bh>(b)));
#else
    // The instruction in plain arithmetic, so that packing in pairs is tested where it does not
    // exist.
    const auto first = [](Vec<Word> pair) { return reinterpret_cast<Vec<float>>(pair << 16); };
    const auto second = [](Vec<Word> pair) {
      return reinterpret_cast<Vec<float>>(pair & 0xffff0000u);
    };
    return sum + second(a) * second(b) + first(a) * first(b);
#endif
  }
  static Vec<Word> load_along_k(const BFloat16* p, std::int64_t n) {
    Vec<Word> words{};
    if (n >= 2 * lanes<Word>)
      std::memcpy(&words, &p->bits, sizeof words);
    else
      std::memcpy(&words, &p->bits, sizeof *p * n);
    return words;
  }
  static Vec<Word> load_across(const BFloat16* p, const BFloat16* next) {
    return next == nullptr ? widen(p) : widen(p) | widen(next) << 16;
  }
  static Word load_one(const BFloat16* p, const BFloat16* next) {
    return p->bits | (next == nullptr ? 0u : Word{next->bits} << 16);
  }

 private:
  static Vec<Word> widen(const BFloat16* p) {
    Half16 bits;
    std::memcpy(&bits, &p->bits, sizeof bits);
    return __builtin_convertvector(bits, Vec<Word>);
  }
};

/// The same pairs, for a unit that multiplies whole tiles of them (gemm_amx.h).
struct AmxWords : PairedWords {
  static constexpr int grain = 16;
  static constexpr int tile_rows = 32;
  static constexpr int tile_columns = 32;
  static constexpr double packing_cost = 100;
  static constexpr int block_words = 256;
  static constexpr bool lie_in_place = false;
};

/// bf16 goes in pairs where an instruction multiplies them, and in the tests' levels.
#if defined(BOOSTR_AMX)
using BFloat16Words = AmxWords;
#elif defined(__AVX512BF16__) || defined(BOOSTR_SIMD_BYTES)
using BFloat16Words = PairedWords;
#else
using BFloat16Words = WidenedWords<BFloat16>;
#endif

template <class S>
using WordsOf = std::conditional_t<std::is_same_v<S, BFloat16>, BFloat16Words, WidenedWords<S>>;

}  // namespace boostr::cpu::BOOSTR_ISA
