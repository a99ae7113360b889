#pragma once

#include <cmath>
#include <limits>
#include <numbers>

#include "kernels/cpu/attention_tile.h"

// Masks and exponentials on tiles of scores^T [keys][panel]. Scores are in base 2: q was scaled by
// log2(e) as well.
namespace boostr::cpu::BOOSTR_ISA {

/// The score of a key that a query does not see; `no_peak` is the maximum before any key was seen.
/// Both finite, and so far apart that 2^(hidden_score - peak) is exactly 0 for every peak.
template <class A>
inline constexpr A hidden_score = std::numeric_limits<A>::lowest();
template <class A>
inline constexpr A no_peak = std::numeric_limits<A>::lowest() / 2;

/// 2^x for x <= 1, exactly 0 below the normal numbers and exactly 1 at 0; NaN stays NaN. f32: a
/// polynomial on
/// [-1/2, 1/2] (interpolated at Chebyshev points; 7e-8 relative with rounding) times a power of
/// two.
inline Vec<float> exp2_bounded(Vec<float> x) {
  const Vec<float> magic =
      splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer, in the low bits
  const Vec<float> shifted = x + magic;
  const Vec<float> r = x - (shifted - magic);
  Vec<float> p = splat(1.545316336e-4f);
  p = p * r + 1.339086331e-3f;
  p = p * r + 9.618083015e-3f;
  p = p * r + 5.550356954e-2f;
  p = p * r + 2.402265072e-1f;
  p = p * r + 6.931471825e-1f;
  p = p * r + 1.0f;
  const auto power = (reinterpret_cast<Vec<std::uint32_t>>(shifted) << 23) + 0x3f800000u;
  const Vec<float> y = p * reinterpret_cast<Vec<float>>(power);
  return x < -126.0f ? Vec<float>{} : y;
}
inline Vec<double> exp2_bounded(Vec<double> x) {
  for (int i = 0; i < lanes<double>; ++i) x[i] = std::exp2(x[i]);
  return x;
}

/// log2(x) for normal numbers x = 2^e m, m in [sqrt(1/2), sqrt(2)): log m = 2 artanh((m - 1) /
/// (m + 1)), whose series is exact in f32 after five terms. NaN stays NaN.
inline Vec<float> log2_positive(Vec<float> x) {
  constexpr std::int32_t root = 0x3f3504f3;  // the bits of sqrt(1/2)
  const auto above = reinterpret_cast<Vec<std::int32_t>>(x) - root;
  const auto m = reinterpret_cast<Vec<float>>((above & 0x7fffff) + root);
  const Vec<float> s = (m - 1.0f) / (m + 1.0f), t = s * s;
  constexpr float unit = 2 * std::numbers::log2e_v<float>;
  Vec<float> p = splat(unit / 9);
  for (const float c : {unit / 7, unit / 5, unit / 3, unit}) p = p * t + c;
  return __builtin_convertvector(above >> 23, Vec<float>) + s * p + (x - x);
}
inline Vec<double> log2_positive(Vec<double> x) {
  for (int i = 0; i < lanes<double>; ++i) x[i] = std::log2(x[i]);
  return x;
}

/// Integers of the width of A, to compare positions lane by lane.
template <class A>
using Index = std::conditional_t<std::is_same_v<A, float>, std::int32_t, std::int64_t>;

/// Hides the keys [begin, end) from the queries of the panel that do not see them. `scores` starts
/// at key `first`.
template <class A>
[[gnu::noinline]] inline void mask_scores(Scores<A> scores, std::int64_t first, std::int64_t begin,
                                          std::int64_t end, const Panel& panel,
                                          const Visibility& visibility) {
  constexpr int width = panel_width<A>;
  if (begin >= panel.common_begin && end <= panel.common_end) return;
  alignas(64) Index<A> from[width], to[width];
  for (int c = 0; c < width; ++c) {
    const std::int64_t query = panel.position + std::min<std::int64_t>(c, panel.count - 1);
    from[c] = static_cast<Index<A>>(visibility.keys_begin(query));
    to[c] = static_cast<Index<A>>(visibility.keys_end(query));
  }
  for (std::int64_t key = begin; key < end; ++key) {
    if (key >= panel.common_begin && key < panel.common_end) continue;
    for (int w = 0; w < width; w += lanes<A>) {
      A* row = scores.row(key - first) + w;
      Vec<Index<A>> low, high;
      std::memcpy(&low, from + w, sizeof low);
      std::memcpy(&high, to + w, sizeof high);
      const auto position = splat(static_cast<Index<A>>(key));
      const auto seen = (position >= low) & (position < high);
      store(row, seen ? load(row) : splat(hidden_score<A>));
    }
  }
}

/// Running maximum and sum of exponentials of a panel's queries, and what the sum and out^T so far
/// must be multiplied by after the maximum rose. [panel] each.
template <class A>
struct SoftmaxState {
  A* peak;
  A* sum;
  A* factor;

  void reset() const {
    std::fill_n(peak, panel_width<A>, no_peak<A>);
    std::fill_n(sum, panel_width<A>, A{});
  }
};

/// scores = 2^(scores - peak) for `count` keys, updating the state.
template <class A>
[[gnu::noinline]] inline void softmax_tile(A* scores, std::int64_t count,
                                           const SoftmaxState<A>& state) {
  constexpr int width = panel_width<A>, n = lanes<A>;
  RegisterTile<2, panel_vectors, A> peak;
#pragma GCC unroll 8
  for (int w = 0; w < panel_vectors; ++w)
    peak.rows[0][w] = peak.rows[1][w] = load(state.peak + w * n);
  std::int64_t key = 0;
  for (; key + 2 <= count; key += 2)  // two chains of maxima hide their latency
#pragma GCC unroll 8
    for (int w = 0; w < 2 * panel_vectors; ++w) {
      Vec<A>& m = peak.rows[w / panel_vectors][w % panel_vectors];
      m = max(m, load(scores + key * width + w * n));
    }
  RegisterTile<1, panel_vectors, A> sum;
#pragma GCC unroll 8
  for (int w = 0; w < panel_vectors; ++w) {
    Vec<A> m = max(peak.rows[0][w], peak.rows[1][w]);
    if (key < count) m = max(m, load(scores + key * width + w * n));
    const Vec<A> factor = exp2_bounded(load(state.peak + w * n) - m);
    store(state.factor + w * n, factor);
    store(state.peak + w * n, m);
    peak.rows[0][w] = m;
    sum.rows[0][w] = load(state.sum + w * n) * factor;
  }
  for (key = 0; key < count; ++key)
#pragma GCC unroll 8
    for (int w = 0; w < panel_vectors; ++w) {
      A* p = scores + key * width + w * n;
      const Vec<A> y = exp2_bounded(load(p) - peak.rows[0][w]);
      store(p, y);
      sum.rows[0][w] += y;
    }
#pragma GCC unroll 8
  for (int w = 0; w < panel_vectors; ++w) store(state.sum + w * n, sum.rows[0][w]);
}

}  // namespace boostr::cpu::BOOSTR_ISA
