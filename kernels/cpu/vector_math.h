#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/cpu/pack.h"

// Elementary functions of packs of vectors. In f64, the verification type, they are the C
// library's, lane by lane.
namespace boostr::cpu::BOOSTR_ISA {

/// -|x|; NaN stays NaN.
template <class A, int n>
inline Pack<A, n> negative_abs(const Pack<A, n>& x) {
  using Bits = Vec<std::conditional_t<sizeof(A) == 4, std::uint32_t, std::uint64_t>>;
  return each(
      [](Vec<A> v) {
        return reinterpret_cast<Vec<A>>(reinterpret_cast<Bits>(v) |
                                        reinterpret_cast<Bits>(splat(A(-0.0))));
      },
      x);
}

/// What the polynomial of the exponential is in multiples of: `scaled` takes 2^(n + 32) in one
/// product, a normal number for every n, so that subnormal results are rounded once.
#if defined(BOOSTR_SIMD_AVX512)
inline constexpr float exp_unit = 1.0f;
#else
inline constexpr float exp_unit = 0x1p-32f;
#endif
/// p / exp_unit * 2^n, where the low bits of `shifted` are the integer n.
inline Vec<float> scaled(Vec<float> p, [[maybe_unused]] Vec<float> n,
                         [[maybe_unused]] Vec<float> shifted) {
#if defined(BOOSTR_SIMD_AVX512)
  return reinterpret_cast<Vec<float>>(
      _mm512_maskz_scalef_ps(all_lanes, reinterpret_cast<__m512>(p), reinterpret_cast<__m512>(n)));
#else
  const auto power = (reinterpret_cast<Vec<std::uint32_t>>(shifted) << 23) + ((127u + 32u) << 23);
  return p * reinterpret_cast<Vec<float>>(power);
#endif
}

/// e^x for x <= 0 (and up to 60), within 1 ulp: 2^n times a polynomial on [-ln2/2, ln2/2] (found
/// at Chebyshev nodes). Exact at 0, subnormal near the end of the range and 0 beyond it; NaN stays
/// NaN.
template <int count>
inline Pack<float, count> exp_nonpositive(const Pack<float, count>& x) {
  const auto clamped = max(-104.0f, x);
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
  constexpr float magic = 12582912.0f;
  const auto shifted = clamped * 1.44269504088896341f + magic;
  const auto n = shifted - magic;
  const auto r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
  auto p = r * (1.393368586e-3f * exp_unit) + 8.369184382e-3f * exp_unit;
  for (const float c : {4.166646460e-2f, 1.666650494e-1f, 5.000000013e-1f, 1.0f, 1.0f})
    p = p * r + c * exp_unit;
  return each(scaled, p, n, shifted);
}
template <int count>
inline Pack<double, count> exp_nonpositive(Pack<double, count> x) {
  for (Vec<double>& part : x.part)
    for (int i = 0; i < lanes<double>; ++i) part[i] = std::exp(part[i]);
  return x;
}
inline Vec<float> exp_nonpositive(Vec<float> x) {
  return exp_nonpositive(Pack<float, 1>{{x}}).part[0];
}
inline Vec<double> exp_nonpositive(Vec<double> x) {
  return exp_nonpositive(Pack<double, 1>{{x}}).part[0];
}

/// 1 / x for 1 <= x < 2^100, within 1 ulp: where divisions are slow, an approximation and a step
/// of Newton's.
template <class A, int n>
inline Pack<A, n> reciprocal(const Pack<A, n>& x) {
#if defined(BOOSTR_SIMD_AVX512)
  if constexpr (sizeof(A) == 4) {
    const auto r = each(
        [](Vec<float> v) {
          return reinterpret_cast<Vec<float>>(
              _mm512_maskz_rcp14_ps(all_lanes, reinterpret_cast<__m512>(v)));
        },
        x);
    return r + r * each([](Vec<float> v, Vec<float> w) { return 1.0f - v * w; }, x, r);
  }
#endif
  return each([](Vec<A> v) { return A(1) / v; }, x);
}

}  // namespace boostr::cpu::BOOSTR_ISA
