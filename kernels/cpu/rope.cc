#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/rows.h"

// RoPE (arXiv 2104.09864): each pair (a, b) of a head turns by the angle of its position and
// frequency,
//   a' = a cos - b sin
//   b' = a sin + b cos
// and by the negative angle in the gradient. A pair is read before it is written, so y may be x.
namespace boostr::cpu::BOOSTR_ISA {
namespace {

/// A row of the tables; `direction` is -1 for the inverse.
template <class A>
struct Angles {
  const A* cos;
  const A* sin;
  A direction;
  std::int64_t pairs;
  bool around_caches;  ///< the result
};

/// Pairs (i, i + pairs).
template <class S>
void rotate_split_half(S* y, const S* x, const Angles<Accumulator<S>>& angles) {
  using A = Accumulator<S>;
  for_each_vector(angles.pairs, lanes<A>, [&](std::int64_t i, std::int64_t n) {
    const Vec<A> cos = load_n(angles.cos + i, n),
                 sin = angles.direction * load_n(angles.sin + i, n);
    const Vec<A> a = load_n(x + i, n), b = load_n(x + angles.pairs + i, n);
    store_n(y + i, a * cos - b * sin, n, angles.around_caches);
    store_n(y + angles.pairs + i, a * sin + b * cos, n, angles.around_caches);
  });
}

/// One vector of pairs (a, b, a, b, ...): v cos + (-b, a, ...) sin, with the angles of pairs first
/// .. of `cos`, `sin`.
template <class A, int... lane>
Vec<A> rotate_pairs(Vec<A> v, Vec<A> cos, Vec<A> sin, bool upper,
                    std::integer_sequence<int, lane...>) {
  constexpr int half = lanes<A> / 2;
  const Vec<A> sign = {(lane % 2 == 0 ? A(-1) : A(1))...};
  const Vec<A> swapped = __builtin_shufflevector(v, v, (lane ^ 1)...);
  const Vec<A> c = upper ? __builtin_shufflevector(cos, cos, (half + lane / 2)...)
                         : __builtin_shufflevector(cos, cos, (lane / 2)...);
  const Vec<A> s = upper ? __builtin_shufflevector(sin, sin, (half + lane / 2)...)
                         : __builtin_shufflevector(sin, sin, (lane / 2)...);
  return v * c + swapped * sign * s;
}

/// Pairs (2 i, 2 i + 1).
template <class S>
void rotate_interleaved(S* y, const S* x, const Angles<Accumulator<S>>& angles) {
  using A = Accumulator<S>;
  constexpr std::int64_t step = lanes<A>;
  constexpr auto sequence = std::make_integer_sequence<int, lanes<A>>();
  for_each_vector(angles.pairs, step, [&](std::int64_t i, std::int64_t n) {
    const Vec<A> cos = load_n(angles.cos + i, n),
                 sin = angles.direction * load_n(angles.sin + i, n);
    const std::int64_t low = std::min(step, 2 * n), high = 2 * n - low;
    const Vec<A> first = load_n(x + 2 * i, low), second = load_n(x + 2 * i + low, high);
    store_n(y + 2 * i, rotate_pairs<A>(first, cos, sin, false, sequence), low,
            angles.around_caches);
    store_n(y + 2 * i + low, rotate_pairs<A>(second, cos, sin, true, sequence), high,
            angles.around_caches);
  });
}

}  // namespace

void rope(Stream& stream, Out y, In x, In cos, In sin, RopeOptions options) {
  dispatch_float(x.dtype, [&]<class S>() {
    using A = Accumulator<S>;
    const std::int64_t sequence = x.shape[1], heads = x.shape[2], head_dim = x.shape[3],
                       pairs = cos.shape.back();
    const bool around_caches =
        y.data != x.data &&
        goes_around_caches(y, std::gcd(pairs, head_dim) * std::int64_t(sizeof(S)));
    for_each_row(stream, Shape{x.shape[0] * sequence, heads * head_dim}, [&](std::int64_t token) {
      const std::int64_t position = options.first_position + token % sequence;
      const Angles<A> angles{cos.as<A>() + position * pairs, sin.as<A>() + position * pairs,
                             options.inverse ? A(-1) : A(1), pairs, around_caches};
      for (std::int64_t head = token * heads; head < (token + 1) * heads; ++head) {
        const S* const in = x.as<S>() + head * head_dim;
        S* const out = y.as<S>() + head * head_dim;
        options.interleaved ? rotate_interleaved(out, in, angles)
                            : rotate_split_half(out, in, angles);
        if (out != in) std::copy(in + 2 * pairs, in + head_dim, out + 2 * pairs);
      }
    });
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
