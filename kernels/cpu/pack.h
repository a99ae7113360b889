#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/cpu/simd.h"

// Several registers computed side by side. The instructions of an exponential each wait for the one
// before, and a processor looks only so far ahead: written one register after the other, two or
// three exponentials are under way at a time, written step by step for all registers of a pack, as
// many as it has.
namespace boostr::cpu::BOOSTR_ISA {

/// Registers of the packs that loops over elements work on. Eight are faster in the caches, but fetch
/// so much at a time that memory waits for instructions.
inline constexpr int pack_size = 4;

template <class A, int n>
struct Pack {
  Vec<A> part[n];
};

template <class A, class F, int... k>
[[gnu::always_inline]] inline auto pack_of(F&& f, std::integer_sequence<int, k...>) {
  return Pack<A, sizeof...(k)>{{f(k)...}};
}
/// f(0), f(1), ... f(n - 1).
template <class A, int n, class F>
[[gnu::always_inline]] inline Pack<A, n> pack_of(F&& f) {
  return pack_of<A>(f, std::make_integer_sequence<int, n>());
}
/// f of the registers of one or more packs.
template <class F, class A, int n, class... More>
[[gnu::always_inline]] inline Pack<A, n> each(F&& f, const Pack<A, n>& a, const More&... more) {
  return pack_of<A, n>([&](int k) { return f(a.part[k], more.part[k]...); });
}

template <class A, int n>
inline Pack<A, n> operator+(const Pack<A, n>& a, const Pack<A, n>& b) {
  return each([](Vec<A> x, Vec<A> y) { return x + y; }, a, b);
}
template <class A, int n>
inline Pack<A, n> operator-(const Pack<A, n>& a, const Pack<A, n>& b) {
  return each([](Vec<A> x, Vec<A> y) { return x - y; }, a, b);
}
template <class A, int n>
inline Pack<A, n> operator*(const Pack<A, n>& a, const Pack<A, n>& b) {
  return each([](Vec<A> x, Vec<A> y) { return x * y; }, a, b);
}
template <class A, int n>
inline Pack<A, n> operator+(const Pack<A, n>& a, std::type_identity_t<A> b) {
  return each([b](Vec<A> x) { return x + b; }, a);
}
template <class A, int n>
inline Pack<A, n> operator-(const Pack<A, n>& a, std::type_identity_t<A> b) {
  return each([b](Vec<A> x) { return x - b; }, a);
}
template <class A, int n>
inline Pack<A, n> operator*(const Pack<A, n>& a, std::type_identity_t<A> b) {
  return each([b](Vec<A> x) { return x * b; }, a);
}
/// In this order, where b is NaN so is the result.
template <class A, int n>
inline Pack<A, n> max(std::type_identity_t<A> a, const Pack<A, n>& b) {
  return each([a](Vec<A> x) { return max(splat(a), x); }, b);
}
template <class A, int n>
inline Pack<A, n> min(std::type_identity_t<A> a, const Pack<A, n>& b) {
  return each([a](Vec<A> x) { return min(splat(a), x); }, b);
}
/// x > 0 ? a : b.
template <class A, int n>
inline Pack<A, n> where_positive(const Pack<A, n>& x, const Pack<A, n>& a, const Pack<A, n>& b) {
  return each([](Vec<A> v, Vec<A> yes, Vec<A> no) { return v > 0 ? yes : no; }, x, a, b);
}

/// Elements at .. at + count - 1: those of n whole registers, or count < lanes of one.
template <int n>
struct Piece {
  std::int64_t at, count;
};

/// Two registers rounded to bf16 and in one: the elements of `even` and of `odd` in turn, two in the
/// bits of a lane.
inline Vec<float> to_bfloat16_pairs(Vec<float> even, Vec<float> odd) {
#if defined(BOOSTR_SIMD_AVX512) && defined(__AVX512BF16__)
  const auto both = reinterpret_cast<__m512i>(
      _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(odd), reinterpret_cast<__m512>(even)));
  std::uint16_t from[32];
  for (int i = 0; i < 32; ++i) from[i] = std::uint16_t(i / 2 + i % 2 * 16);
  return reinterpret_cast<Vec<float>>(_mm512_permutexvar_epi16(_mm512_loadu_si512(from), both));
#elif defined(BOOSTR_SIMD_AVX2)
  // rounded_at_upper_half for both at once: 16 bits of each in turn, the lower ones of which carry
  // into the upper ones with 0x7fff and, if those are odd, 1; `avg` adds 1 and keeps the carry.
  const auto e = reinterpret_cast<__m256i>(even), o = reinterpret_cast<__m256i>(odd);
  constexpr int odd_words = 0xaa;
  const auto upper = _mm256_blend_epi16(_mm256_srli_epi32(e, 16), o, odd_words);
  const auto lower = _mm256_blend_epi16(e, _mm256_slli_epi32(o, 16), odd_words);
  const auto rest =
      _mm256_add_epi16(_mm256_and_si256(upper, _mm256_set1_epi16(1)), _mm256_set1_epi16(0x7ffe));
  const auto carry = _mm256_srli_epi16(_mm256_avg_epu16(lower, rest), 15);
  const auto nan = _mm256_blend_epi16(reinterpret_cast<__m256i>(even != even),
                                      reinterpret_cast<__m256i>(odd != odd), odd_words);
  return reinterpret_cast<Vec<float>>(_mm256_or_si256(_mm256_add_epi16(upper, carry), nan));
#else
  return reinterpret_cast<Vec<float>>((rounded_at_upper_half(even) >> 16) |
                                      (rounded_at_upper_half(odd) & 0xffff0000u));
#endif
}

/// Whether packs of S hold the even elements of two registers in one and the odd ones in the next:
/// those of bf16 are a shift and a mask away from f32.
template <class S, int n>
inline constexpr bool in_pairs = std::is_same_v<S, BFloat16>&& n % 2 == 0;

/// Lanes first, first + 2, ... of a and then of b.
template <class A, int... lane>
inline Vec<A> every_second(Vec<A> a, Vec<A> b, int first, std::integer_sequence<int, lane...>) {
  return first == 0 ? __builtin_shufflevector(a, b, (2 * lane)...)
                    : __builtin_shufflevector(a, b, (2 * lane + 1)...);
}
/// v, whose registers are consecutive elements, in the order of packs of S.
template <class S, int n>
inline Pack<Accumulator<S>, n> in_order_of(const Pack<Accumulator<S>, n>& v) {
  using A = Accumulator<S>;
  if constexpr (in_pairs<S, n>) {
    return pack_of<A, n>([&](int k) {
      return every_second<A>(v.part[k / 2 * 2], v.part[k / 2 * 2 + 1], k % 2,
                             std::make_integer_sequence<int, lanes<A>>());
    });
  } else {
    return v;
  }
}

/// The lanes past the end of a row are `fill`.
template <class S, int n>
inline Pack<Accumulator<S>, n> load(const S* p, Piece<n> piece, Accumulator<S> fill = 0) {
  using A = Accumulator<S>;
  p += piece.at;
  if constexpr (n == 1) {
    return {{load_n(p, piece.count, fill)}};
  } else if constexpr (in_pairs<S, n>) {
    return pack_of<A, n>([p](int k) {
      Vec<std::uint32_t> pairs;
      std::memcpy(&pairs, p + k / 2 * 2 * lanes<A>, sizeof pairs);
      return reinterpret_cast<Vec<float>>(k % 2 == 0 ? pairs << 16 : pairs & 0xffff0000u);
    });
  } else {
    return pack_of<A, n>([p](int k) { return load(p + k * lanes<A>); });
  }
}
template <class S, int n>
inline void store(S* p, const Pack<Accumulator<S>, n>& v, Piece<n> piece, bool around_caches) {
  using A = Accumulator<S>;
  p += piece.at;
  if constexpr (n == 1) {
    store_n(p, v.part[0], piece.count, around_caches);
  } else if constexpr (in_pairs<S, n>) {
    const auto pairs = pack_of<float, n / 2>(
        [&](int k) { return to_bfloat16_pairs(v.part[2 * k], v.part[2 * k + 1]); });
    store(reinterpret_cast<float*>(p), pairs, Piece<n / 2>{0, n / 2 * lanes<A>}, around_caches);
  } else if (around_caches) {
    for (int k = 0; k < n; ++k) store_around_caches(p + k * lanes<A>, v.part[k]);
  } else {
    for (int k = 0; k < n; ++k) store(p + k * lanes<A>, v.part[k]);
  }
}
/// Asks for the lines of the piece of p, and prefetch_ahead for each.
template <class S, int n>
inline void prefetch(const S* p, Piece<n> piece) {
  constexpr int line = 64 / int(sizeof(S));
  for (int i = 0; i < n * lanes<Accumulator<S>>; i += line) prefetch(p + piece.at + i);
}
template <class S, int n>
inline void prefetch_ahead(const S* p, Piece<n> piece) {
  constexpr int line = 64 / int(sizeof(S));
  for (int i = 0; i < n * lanes<Accumulator<S>>; i += line) prefetch_ahead(p + piece.at + i);
}

/// Asks for the lines of the piece of a result that is stored later, and not around the caches.
template <class S, int n>
inline void prefetch_result(const S* y, Piece<n> piece, bool around_caches) {
  if (!around_caches) prefetch(y, piece);
}

/// Calls body with the pieces of 0 .. count - 1 in order. Flattened, as for_each_vector.
template <class A, int n = pack_size, class Body>
[[gnu::flatten]] inline void for_each_piece(std::int64_t count, Body body) {
  constexpr std::int64_t whole = n * lanes<A>;
  std::int64_t i = 0;
  for (; i + whole <= count; i += whole) body(Piece<n>{i, whole});
  for (; i < count; i += lanes<A>) body(Piece<1>{i, std::min<std::int64_t>(lanes<A>, count - i)});
}

}  // namespace boostr::cpu::BOOSTR_ISA
