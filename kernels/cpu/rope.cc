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
};

/// The heads of one token, [heads, head_dim].
template <class S>
struct Heads {
  S* y;
  const S* x;
  std::int64_t heads, head_dim;
  bool around_caches;  ///< y
};

/// Pairs (i, i + pairs). The angles, the same for every head, are first laid into `turn` as packs
/// of S hold their elements. Flattened, as for_each_vector.
template <class S>
[[gnu::flatten]] void rotate_split_half(Heads<S> token, Angles<Accumulator<S>> angles,
                                        Accumulator<S>* turn) {
  using A = Accumulator<S>;
  const std::int64_t pairs = angles.pairs;
  for_each_piece<A, 2>(pairs, [=](auto piece) {
    store(turn, in_order_of<S>(load(angles.cos, piece)), piece, false);
    store(turn + pairs, in_order_of<S>(load(angles.sin, piece) * angles.direction), piece, false);
  });
  for (std::int64_t head = 0; head < token.heads; ++head) {
    S* const y = token.y + head * token.head_dim;
    const S* const x = token.x + head * token.head_dim;
    for_each_piece<A, 2>(pairs, [=](auto piece) {
      prefetch_ahead(x, piece);
      prefetch_ahead(x + pairs, piece);
      const auto cos = load(turn, piece), sin = load(turn + pairs, piece);
      const auto a = load(x, piece), b = load(x + pairs, piece);
      store(y, a * cos - b * sin, piece, token.around_caches);
      store(y + pairs, a * sin + b * cos, piece, token.around_caches);
    });
  }
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
[[gnu::flatten]] void rotate_interleaved(Heads<S> token, Angles<Accumulator<S>> angles) {
  using A = Accumulator<S>;
  constexpr std::int64_t step = lanes<A>;
  constexpr auto sequence = std::make_integer_sequence<int, lanes<A>>();
  for (std::int64_t head = 0; head < token.heads; ++head) {
    S* const y = token.y + head * token.head_dim;
    const S* const x = token.x + head * token.head_dim;
    for_each_vector(angles.pairs, step, [=](std::int64_t i, std::int64_t n) {
      const Vec<A> cos = load_n(angles.cos + i, n),
                   sin = angles.direction * load_n(angles.sin + i, n);
      const std::int64_t low = std::min(step, 2 * n), high = 2 * n - low;
      const Vec<A> first = load_n(x + 2 * i, low), second = load_n(x + 2 * i + low, high);
      store_n(y + 2 * i, rotate_pairs<A>(first, cos, sin, false, sequence), low,
              token.around_caches);
      store_n(y + 2 * i + low, rotate_pairs<A>(second, cos, sin, true, sequence), high,
              token.around_caches);
    });
  }
}

/// The dimensions past the first 2 * pairs.
template <class S>
void pass_through(const Heads<S>& token, std::int64_t pairs) {
  if (token.y == token.x || 2 * pairs == token.head_dim) return;
  for (std::int64_t at = 0; at < token.heads * token.head_dim; at += token.head_dim)
    std::copy(token.x + at + 2 * pairs, token.x + at + token.head_dim, token.y + at + 2 * pairs);
}

}  // namespace

void rope(Stream& stream, Out y, In x, In cos, In sin, RopeOptions options) {
  dispatch_float(x.dtype, [&]<class S>() {
    using A = Accumulator<S>;
    const std::int64_t sequence = x.shape[1], heads = x.shape[2], head_dim = x.shape[3],
                       pairs = cos.shape.back(), width = heads * head_dim;
    const bool around_caches =
        y.data != x.data &&
        goes_around_caches(y, std::gcd(pairs, head_dim) * std::int64_t(sizeof(S)));
    A* const turns = reinterpret_cast<A*>(
        stream.scratch(std::size_t(stream.num_threads() * 2 * pairs) * sizeof(A)));
    const Shape tokens{x.shape[0] * sequence, width};
    for_each_row(stream, tokens, [&](std::int64_t row, int thread) {
      const std::int64_t position = options.first_position + row % sequence;
      const Heads<S> token{y.as<S>() + row * width, x.as<S>() + row * width, heads, head_dim,
                           around_caches};
      const Angles<A> angles{cos.as<A>() + position * pairs, sin.as<A>() + position * pairs,
                             options.inverse ? A(-1) : A(1), pairs};
      options.interleaved ? rotate_interleaved(token, angles)
                          : rotate_split_half(token, angles, turns + thread * 2 * pairs);
      pass_through(token, pairs);
    });
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
