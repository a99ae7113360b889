#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/cpu/simd.h"

// Elementary functions of vectors. In f64, the verification type, they are the C library's, lane by
// lane.
namespace boostr::cpu::BOOSTR_ISA {

/// -|x|; NaN stays NaN.
template <class V>
inline V negative_abs(V x) {
  using A = std::remove_cvref_t<decltype(x[0])>;
  using Bits = Vec<std::conditional_t<sizeof(A) == 4, std::uint32_t, std::uint64_t>>;
  return reinterpret_cast<V>(reinterpret_cast<Bits>(x) | reinterpret_cast<Bits>(splat(A(-0.0))));
}

/// e^x for x <= 0 (and up to 60), within 1 ulp: 2^n times a polynomial on [-ln2/2, ln2/2] (found
/// at Chebyshev nodes). Exact at 0, subnormal near the end of the range and 0 beyond it; NaN stays
/// NaN.
inline Vec<float> exp_nonpositive(Vec<float> x) {
  const Vec<float> clamped = max(splat(-104.0f), x);  // in this order, a NaN stays one
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
  const Vec<float> magic = splat(12582912.0f);
  const Vec<float> shifted = clamped * 1.44269504088896341f + magic;
  const Vec<float> n = shifted - magic;
  const Vec<float> r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
  Vec<float> p = splat(1.393368586e-3f);
  for (const float c :
       {8.369184382e-3f, 4.166646460e-2f, 1.666650494e-1f, 5.000000013e-1f, 1.0f, 1.0f})
    p = p * r + c;
#if defined(BOOSTR_SIMD_AVX512)
  return reinterpret_cast<Vec<float>>(
      _mm512_maskz_scalef_ps(all_lanes, reinterpret_cast<__m512>(p), reinterpret_cast<__m512>(n)));
#else
  // 2^(n + 32), a normal number for every n, then 2^-32: subnormal results are rounded once.
  const auto power = (reinterpret_cast<Vec<std::uint32_t>>(shifted) << 23) + ((127u + 32u) << 23);
  return p * reinterpret_cast<Vec<float>>(power) * 0x1p-32f;
#endif
}
inline Vec<double> exp_nonpositive(Vec<double> x) {
  for (int i = 0; i < lanes<double>; ++i) x[i] = std::exp(x[i]);
  return x;
}

/// 1 / x for 1 <= x < 2^100, within 1 ulp: where divisions are slow, an approximation and a step
/// of Newton's.
inline Vec<float> reciprocal(Vec<float> x) {
#if defined(BOOSTR_SIMD_AVX512)
  const auto r =
      reinterpret_cast<Vec<float>>(_mm512_maskz_rcp14_ps(all_lanes, reinterpret_cast<__m512>(x)));
  return r + r * (1.0f - x * r);
#else
  return 1.0f / x;
#endif
}
inline Vec<double> reciprocal(Vec<double> x) { return 1.0 / x; }

}  // namespace boostr::cpu::BOOSTR_ISA
