#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "kernels/runtime/dtype.h"

// One source for every instruction set: GCC vector extensions, compiled once per level with that
// level's flags. BOOSTR_ISA names the level's namespace, so the copies never meet at link time.
#ifndef BOOSTR_ISA
#error "compile kernels/cpu through its CMakeLists.txt, which defines BOOSTR_ISA"
#endif

namespace boostr::cpu::BOOSTR_ISA {

// BOOSTR_SIMD_AVX512 and BOOSTR_SIMD_AVX2 say whose registers those are: the intrinsics below stand
// where the compiler makes several instructions of what is one.
#if defined(BOOSTR_SIMD_BYTES)
inline constexpr int simd_bytes = BOOSTR_SIMD_BYTES;
#elif defined(__AVX512F__)
#define BOOSTR_SIMD_AVX512
/// For the intrinsics' zeroing forms, which become the plain instructions: the plain forms read a
/// variable that GCC says is uninitialised.
inline constexpr __mmask16 all_lanes = 0xffff;
inline constexpr int simd_bytes = 64;
#elif defined(__AVX2__)
#define BOOSTR_SIMD_AVX2
inline constexpr int simd_bytes = 32;
#else
inline constexpr int simd_bytes = 16;
#endif

/// A register of arithmetic type A: float, double or an integer.
template <class A>
using Vec __attribute__((vector_size(simd_bytes))) = A;
template <class A>
inline constexpr int lanes = simd_bytes / int(sizeof(A));

// A vector of `lanes<float>` 16-bit values, whatever the register width.
using Half16 __attribute__((vector_size(simd_bytes / 2))) = std::uint16_t;

template <class A>
inline Vec<A> splat(A value) {
  return value - Vec<A>{};
}

// 16 bits to 32, and back.
#if defined(BOOSTR_SIMD_AVX512)
inline Vec<std::uint32_t> widened(Half16 h) {
  return reinterpret_cast<Vec<std::uint32_t>>(
      _mm512_maskz_cvtepu16_epi32(all_lanes, reinterpret_cast<__m256i>(h)));
}
/// The upper 16 bits of each lane: four words together in each 128 bits, then the four fours.
inline Half16 upper_halves(__m512i v) {
  const auto words = _mm512_maskz_broadcast_i32x4(
      all_lanes, _mm_setr_epi8(2, 3, 6, 7, 10, 11, 14, 15, 2, 3, 6, 7, 10, 11, 14, 15));
  const auto fours = _mm512_maskz_permutexvar_epi64(0xff, _mm512_setr_epi64(0, 2, 4, 6, 0, 2, 4, 6),
                                                    _mm512_shuffle_epi8(v, words));
  return reinterpret_cast<Half16>(_mm512_maskz_extracti64x4_epi64(0xff, fours, 0));
}
#elif defined(BOOSTR_SIMD_AVX2)
inline Vec<std::uint32_t> widened(Half16 h) {
  return reinterpret_cast<Vec<std::uint32_t>>(_mm256_cvtepu16_epi32(reinterpret_cast<__m128i>(h)));
}
/// The upper 16 bits of each lane of v are 0.
inline Half16 narrowed(Vec<std::uint32_t> v) {
  const auto u = reinterpret_cast<__m256i>(v);
  return reinterpret_cast<Half16>(
      _mm_packus_epi32(_mm256_castsi256_si128(u), _mm256_extracti128_si256(u, 1)));
}
#else
inline Vec<std::uint32_t> widened(Half16 h) {
  return __builtin_convertvector(h, Vec<std::uint32_t>);
}
inline Half16 narrowed(Vec<std::uint32_t> v) { return __builtin_convertvector(v, Half16); }
#endif

inline Vec<float> from_bfloat16(Half16 h) { return reinterpret_cast<Vec<float>>(widened(h) << 16); }
/// v rounded to nearest even at 16 bits, the upper ones; the lower are anything. NaN stays NaN.
inline Vec<std::uint32_t> rounded_at_upper_half(Vec<float> v) {
#if defined(BOOSTR_SIMD_AVX512)
  const auto u = reinterpret_cast<__m512i>(v);
  const auto odd = _mm512_test_epi32_mask(u, _mm512_set1_epi32(0x10000));
  const auto down = _mm512_add_epi32(u, _mm512_set1_epi32(0x7fff));
  const auto rounded = _mm512_mask_add_epi32(down, odd, u, _mm512_set1_epi32(0x8000));
  // Where v is a NaN, quiet or signalling, a quiet one.
  return reinterpret_cast<Vec<std::uint32_t>>(_mm512_fixupimm_ps(
      _mm512_castsi512_ps(rounded), reinterpret_cast<__m512>(v), _mm512_set1_epi32(0x22), 0));
#else
  const auto u = reinterpret_cast<Vec<std::uint32_t>>(v);
  const auto rounded = u + 0x7fffu + ((u >> 16) & 1u);
  return rounded | reinterpret_cast<Vec<std::uint32_t>>(v != v);
#endif
}
/// Rounds to nearest even; NaN stays NaN. (AVX512-BF16 makes values below 2^-126 zero.)
inline Half16 to_bfloat16(Vec<float> v) {
#if defined(BOOSTR_SIMD_AVX512) && defined(__AVX512BF16__)
  return reinterpret_cast<Half16>(_mm512_cvtneps_pbh(reinterpret_cast<__m512>(v)));
#elif defined(BOOSTR_SIMD_AVX512)
  return upper_halves(reinterpret_cast<__m512i>(rounded_at_upper_half(v)));
#else
  return narrowed(rounded_at_upper_half(v) >> 16);
#endif
}

#if defined(BOOSTR_SIMD_AVX512)
inline Vec<float> from_float16(Half16 h) {
  return reinterpret_cast<Vec<float>>(
      _mm512_maskz_cvtph_ps(all_lanes, reinterpret_cast<__m256i>(h)));
}
inline Half16 to_float16(Vec<float> v) {
  return reinterpret_cast<Half16>(
      _mm512_maskz_cvtps_ph(all_lanes, reinterpret_cast<__m512>(v), _MM_FROUND_TO_NEAREST_INT));
}
#elif defined(__F16C__)
inline Vec<float> from_float16(Half16 h) {
  __m128i in[simd_bytes / 32];
  __m256 out[simd_bytes / 32];
  std::memcpy(in, &h, sizeof h);
  for (int i = 0; i < simd_bytes / 32; ++i) out[i] = _mm256_cvtph_ps(in[i]);
  Vec<float> v;
  std::memcpy(&v, out, sizeof v);
  return v;
}
inline Half16 to_float16(Vec<float> v) {
  __m256 in[simd_bytes / 32];
  __m128i out[simd_bytes / 32];
  std::memcpy(in, &v, sizeof v);
  for (int i = 0; i < simd_bytes / 32; ++i)
    out[i] = _mm256_cvtps_ph(in[i], _MM_FROUND_TO_NEAREST_INT);
  Half16 h;
  std::memcpy(&h, out, sizeof h);
  return h;
}
#else
inline Vec<float> from_float16(Half16 h) {
  Vec<float> v;
  for (int i = 0; i < lanes<float>; ++i) v[i] = float(std::bit_cast<Float16>(h[i]));
  return v;
}
inline Half16 to_float16(Vec<float> v) {
  Half16 h;
  for (int i = 0; i < lanes<float>; ++i) h[i] = Float16(v[i]).bits;
  return h;
}
#endif

/// How lanes<Accumulator<S>> elements lie in a register as they do in memory, and the conversion to
/// the type of arithmetic and back.
template <class S>
struct Storage {
  using Register = Vec<S>;
  static Vec<S> widened(Register r) { return r; }
  static Register rounded(Vec<S> v) { return v; }
};
template <>
struct Storage<BFloat16> {
  using Register = Half16;
  static Vec<float> widened(Register r) { return from_bfloat16(r); }
  static Register rounded(Vec<float> v) { return to_bfloat16(v); }
};
template <>
struct Storage<Float16> {
  using Register = Half16;
  static Vec<float> widened(Register r) { return from_float16(r); }
  static Register rounded(Vec<float> v) { return to_float16(v); }
};

template <class S>
inline Vec<Accumulator<S>> load(const S* p) {
  typename Storage<S>::Register stored;
  std::memcpy(&stored, p, sizeof stored);
  return Storage<S>::widened(stored);
}
template <class S>
inline void store(S* p, Vec<Accumulator<S>> v) {
  const auto stored = Storage<S>::rounded(v);
  std::memcpy(static_cast<void*>(p), &stored, sizeof stored);
}

/// As store, around the caches and without reading the lines first: for a result far larger than
/// they are. `p` is a multiple of the stored register's size; another thread sees the values after
/// finish_stores_around_caches.
template <class S>
inline void store_around_caches(S* p, Vec<Accumulator<S>> v) {
#if defined(BOOSTR_SIMD_AVX512) || defined(BOOSTR_SIMD_AVX2)
  const auto stored = Storage<S>::rounded(v);
  if constexpr (sizeof stored == 16) {
    return _mm_stream_si128(reinterpret_cast<__m128i*>(p), std::bit_cast<__m128i>(stored));
  } else if constexpr (sizeof stored == 32) {
    return _mm256_stream_si256(reinterpret_cast<__m256i*>(p), std::bit_cast<__m256i>(stored));
#if defined(BOOSTR_SIMD_AVX512)
  } else {
    return _mm512_stream_si512(reinterpret_cast<__m512i*>(p), std::bit_cast<__m512i>(stored));
#endif
  }
#else
  store(p, v);
#endif
}
/// Asks for the line of `p`, which may lie past the end of its tensor.
template <class S>
inline void prefetch(const S* p) {
  __builtin_prefetch(p);
}
/// Asks for what a loop over p will load some time after p: farther than the processor looks by
/// itself, which stops at the end of a page.
template <class S>
inline void prefetch_ahead(const S* p) {
  prefetch(p + 2048 / sizeof(S));
}

inline void finish_stores_around_caches() {
#if defined(BOOSTR_SIMD_AVX512) || defined(BOOSTR_SIMD_AVX2)
  _mm_sfence();
#endif
}

/// The first n < lanes elements; the other lanes are `fill`.
template <class S>
inline Vec<Accumulator<S>> load_partial(const S* p, std::int64_t n, Accumulator<S> fill = 0) {
  Vec<Accumulator<S>> v = splat(fill);
#if defined(BOOSTR_SIMD_AVX512)
  const auto first = static_cast<__mmask16>((1u << n) - 1u);
  const auto rest = reinterpret_cast<__m512>(v);
  if constexpr (sizeof(S) == 4)
    return reinterpret_cast<Vec<float>>(_mm512_mask_loadu_ps(rest, first, p));
  if constexpr (sizeof(S) == 2) {
    const auto all =
        Storage<S>::widened(reinterpret_cast<Half16>(_mm256_maskz_loadu_epi16(first, p)));
    return reinterpret_cast<Vec<float>>(
        _mm512_mask_mov_ps(rest, first, reinterpret_cast<__m512>(all)));
  }
#endif
  for (std::int64_t i = 0; i < n; ++i) v[i] = static_cast<Accumulator<S>>(p[i]);
  return v;
}
template <class S>
inline void store_partial(S* p, Vec<Accumulator<S>> v, std::int64_t n) {
#if defined(BOOSTR_SIMD_AVX512)
  const auto first = static_cast<__mmask16>((1u << n) - 1u);
  if constexpr (sizeof(S) == 4) return _mm512_mask_storeu_ps(p, first, reinterpret_cast<__m512>(v));
  if constexpr (sizeof(S) == 2)
    return _mm256_mask_storeu_epi16(p, first, reinterpret_cast<__m256i>(Storage<S>::rounded(v)));
#endif
  const auto stored = Storage<S>::rounded(v);
  std::memcpy(static_cast<void*>(p), &stored, std::size_t(n) * sizeof(S));
}

template <class V>
inline V max(V a, V b) {
  return a > b ? a : b;
}
template <class V>
inline V min(V a, V b) {
  return a < b ? a : b;
}

// The instructions do what the comparisons above say, which the compiler does not always see.
#if defined(BOOSTR_SIMD_AVX512)
inline Vec<float> max(Vec<float> a, Vec<float> b) {
  return reinterpret_cast<Vec<float>>(
      _mm512_maskz_max_ps(all_lanes, reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b)));
}
inline Vec<float> min(Vec<float> a, Vec<float> b) {
  return reinterpret_cast<Vec<float>>(
      _mm512_maskz_min_ps(all_lanes, reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b)));
}
#elif defined(BOOSTR_SIMD_AVX2)
inline Vec<float> max(Vec<float> a, Vec<float> b) {
  return reinterpret_cast<Vec<float>>(
      _mm256_max_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b)));
}
inline Vec<float> min(Vec<float> a, Vec<float> b) {
  return reinterpret_cast<Vec<float>>(
      _mm256_min_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b)));
}
#endif

/// Square root of each lane, correctly rounded.
template <class V>
inline V sqrt(V v) {
  using A = std::remove_cvref_t<decltype(v[0])>;
  A part[lanes<A>];
  std::memcpy(part, &v, sizeof v);
  for (A& value : part) value = std::sqrt(value);
  std::memcpy(&v, part, sizeof v);
  return v;
}

/// Both halves of an f32 register in f64.
struct InF64 {
  Vec<double> first, second;
};
inline InF64 in_f64(Vec<float> v) {
#if defined(BOOSTR_SIMD_AVX512)
  const auto lower = _mm512_maskz_extractf32x8_ps(0xff, reinterpret_cast<__m512>(v), 0);
  const auto upper = _mm512_maskz_extractf32x8_ps(0xff, reinterpret_cast<__m512>(v), 1);
  return {reinterpret_cast<Vec<double>>(_mm512_maskz_cvtps_pd(0xff, lower)),
          reinterpret_cast<Vec<double>>(_mm512_maskz_cvtps_pd(0xff, upper))};
#elif defined(BOOSTR_SIMD_AVX2)
  const auto all = reinterpret_cast<__m256>(v);
  return {reinterpret_cast<Vec<double>>(_mm256_cvtps_pd(_mm256_castps256_ps128(all))),
          reinterpret_cast<Vec<double>>(_mm256_cvtps_pd(_mm256_extractf128_ps(all, 1)))};
#else
  using Half __attribute__((vector_size(simd_bytes / 2))) = float;
  Half halves[2];
  std::memcpy(halves, &v, sizeof v);
  return {__builtin_convertvector(halves[0], Vec<double>),
          __builtin_convertvector(halves[1], Vec<double>)};
#endif
}

/// sum + v^2 in f64; for f32 both halves of v go to the same lanes, first half first.
inline Vec<double> add_squares(Vec<double> sum, Vec<double> v) { return sum + v * v; }
inline Vec<double> add_squares(Vec<double> sum, Vec<float> v) {
  const auto [first, second] = in_f64(v);
  return sum + first * first + second * second;
}

/// Lane i of the result is lane i + width of v, for i < width.
template <int width, class V, int... lane>
inline V moved_down(V v, std::integer_sequence<int, lane...>) {
  return __builtin_shufflevector(v, v, (lane < width ? lane + width : lane)...);
}
/// Combines the first 2 * width lanes into one, pairwise: a fixed order.
template <int width, class V, class Combine>
inline auto reduce_lanes(V v, Combine combine) {
  using A = std::remove_cvref_t<decltype(v[0])>;
  if constexpr (width == 0) {
    return A(v[0]);
  } else {
    constexpr auto all = std::make_integer_sequence<int, lanes<A>>();
    return reduce_lanes<width / 2>(combine(v, moved_down<width>(v, all)), combine);
  }
}
template <class V>
inline auto reduce_add(V v) {
  return reduce_lanes<sizeof(V) / sizeof(v[0]) / 2>(v, [](V a, V b) { return a + b; });
}
template <class V>
inline auto reduce_max(V v) {
  return reduce_lanes<sizeof(V) / sizeof(v[0]) / 2>(v, [](V a, V b) { return max(a, b); });
}

/// Calls body(i, n) for i = 0, step, 2 step, ... with n = step, and once with the rest n < step if
/// there is one. Flattened: where the compiler leaves `body` a function, each vector costs a call.
template <class Body>
[[gnu::flatten]] inline void for_each_vector(std::int64_t count, std::int64_t step, Body&& body) {
  std::int64_t i = 0;
  for (; i + step <= count; i += step) body(i, step);
  if (i < count) body(i, count - i);
}

/// load, or load_partial for the last piece of a row.
template <class S>
inline Vec<Accumulator<S>> load_n(const S* p, std::int64_t n, Accumulator<S> fill = 0) {
  return n == lanes<Accumulator<S>> ? load(p) : load_partial(p, n, fill);
}
template <class S>
inline void store_n(S* p, Vec<Accumulator<S>> v, std::int64_t n, bool around_caches = false) {
  if (n < lanes<Accumulator<S>>)
    store_partial(p, v, n);
  else if (around_caches)
    store_around_caches(p, v);
  else
    store(p, v);
}

}  // namespace boostr::cpu::BOOSTR_ISA
