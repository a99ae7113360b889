#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
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

#if defined(BOOSTR_SIMD_BYTES)
inline constexpr int simd_bytes = BOOSTR_SIMD_BYTES;
#elif defined(__AVX512F__)
inline constexpr int simd_bytes = 64;
#elif defined(__AVX__)
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

// Loads lanes<acc> elements of storage type S, widened to acc.
inline Vec<float> load(const float* p) {
  Vec<float> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline Vec<double> load(const double* p) {
  Vec<double> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline Vec<float> load(const BFloat16* p) {
  Half16 h;
  std::memcpy(&h, &p->bits, sizeof h);
  return reinterpret_cast<Vec<float>>(__builtin_convertvector(h, Vec<std::uint32_t>) << 16);
}
inline void store(float* p, Vec<float> v) { std::memcpy(p, &v, sizeof v); }
inline void store(double* p, Vec<double> v) { std::memcpy(p, &v, sizeof v); }
/// Rounds to nearest even; NaN stays NaN. (AVX512-BF16 makes values below 2^-126 zero.)
#if defined(__AVX512BF16__)
inline void store(BFloat16* p, Vec<float> v) {
  const auto h = _mm512_cvtneps_pbh(reinterpret_cast<__m512>(v));
  std::memcpy(&p->bits, &h, sizeof h);
}
#else
inline void store(BFloat16* p, Vec<float> v) {
  const auto u = reinterpret_cast<Vec<std::uint32_t>>(v);
  const auto rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  const auto nan = (u >> 16) | 0x40u;
  const auto is_nan = (u & 0x7fffffffu) > 0x7f800000u;
  const auto h = __builtin_convertvector(is_nan ? nan : rounded, Half16);
  std::memcpy(&p->bits, &h, sizeof h);
}
#endif
#if defined(__F16C__)
inline Vec<float> load(const Float16* p) {
  Vec<float> v;
  for (int i = 0; i < simd_bytes / 32; ++i) {
    const __m256 part =
        _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8 * i)));
    std::memcpy(reinterpret_cast<char*>(&v) + 32 * i, &part, 32);
  }
  return v;
}
inline void store(Float16* p, Vec<float> v) {
  for (int i = 0; i < simd_bytes / 32; ++i) {
    __m256 part;
    std::memcpy(&part, reinterpret_cast<const char*>(&v) + 32 * i, 32);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8 * i),
                     _mm256_cvtps_ph(part, _MM_FROUND_TO_NEAREST_INT));
  }
}
#else
inline Vec<float> load(const Float16* p) {
  Vec<float> v;
  for (int i = 0; i < lanes<float>; ++i) v[i] = float(p[i]);
  return v;
}
inline void store(Float16* p, Vec<float> v) {
  for (int i = 0; i < lanes<float>; ++i) p[i] = Float16(v[i]);
}
#endif

/// The first n < lanes elements; the other lanes are `fill`.
template <class S>
inline Vec<Accumulator<S>> load_partial(const S* p, std::int64_t n, Accumulator<S> fill = 0) {
  Vec<Accumulator<S>> v = splat(fill);
  for (std::int64_t i = 0; i < n; ++i) v[i] = static_cast<Accumulator<S>>(p[i]);
  return v;
}
template <class S>
inline void store_partial(S* p, Vec<Accumulator<S>> v, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) p[i] = static_cast<S>(v[i]);
}

template <class V>
inline V max(V a, V b) {
  return a > b ? a : b;
}
template <class V>
inline V min(V a, V b) {
  return a < b ? a : b;
}

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

/// sum + v^2 in f64; for f32 both halves of v go to the same lanes, first half first.
inline Vec<double> add_squares(Vec<double> sum, Vec<double> v) { return sum + v * v; }
inline Vec<double> add_squares(Vec<double> sum, Vec<float> v) {
  using Half __attribute__((vector_size(simd_bytes / 2))) = float;
  Half halves[2];
  std::memcpy(halves, &v, sizeof v);
  const auto first = __builtin_convertvector(halves[0], Vec<double>);
  const auto second = __builtin_convertvector(halves[1], Vec<double>);
  return sum + first * first + second * second;
}

/// Sum of the lanes, pairwise: a fixed order.
template <class V>
inline auto reduce_add(V v) {
  using A = std::remove_cvref_t<decltype(v[0])>;
  A part[lanes<A>];
  std::memcpy(part, &v, sizeof v);
  for (int width = lanes<A> / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) part[i] += part[i + width];
  return part[0];
}
template <class V>
inline auto reduce_max(V v) {
  using A = std::remove_cvref_t<decltype(v[0])>;
  A best = v[0];
  for (int i = 1; i < lanes<A>; ++i) best = v[i] > best ? v[i] : best;
  return best;
}

/// e^x to about 1 ulp in f32: 2^n times a degree-6 polynomial on [-ln2/2, ln2/2] (Cephes
/// coefficients). Underflows to 0, overflows to infinity, keeps NaN.
inline Vec<float> exp(Vec<float> x) {
  const Vec<float> clamped = min(max(x, splat(-104.0f)), splat(89.0f));
  const Vec<float> magic = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const Vec<float> n = (clamped * 1.44269504088896341f + magic) - magic;
  const Vec<float> r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
  Vec<float> p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  // Two factors, so that results near the ends of the range neither overflow early nor lose their
  // subnormals.
  const auto i = __builtin_convertvector(n, Vec<std::int32_t>);
  const auto half = i >> 1;
  const auto first = reinterpret_cast<Vec<float>>((half + 127) << 23);
  const auto second = reinterpret_cast<Vec<float>>((i - half + 127) << 23);
  const Vec<float> y = p * first * second;
  return x != x ? x : y;
}
/// f64 is the verification type: the C library's exp, lane by lane.
inline Vec<double> exp(Vec<double> x) {
  for (int i = 0; i < lanes<double>; ++i) x[i] = std::exp(x[i]);
  return x;
}

/// Calls body(i, n) for i = 0, step, 2 step, ... with n = step, and once with the rest n < step if
/// there is one.
template <class Body>
inline void for_each_vector(std::int64_t count, std::int64_t step, Body&& body) {
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
inline void store_n(S* p, Vec<Accumulator<S>> v, std::int64_t n) {
  if (n == lanes<Accumulator<S>>)
    store(p, v);
  else
    store_partial(p, v, n);
}

}  // namespace boostr::cpu::BOOSTR_ISA
