#include <cmath>
#include <numbers>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/rows.h"
#include "kernels/cpu/vector_math.h"

// Elementwise: y = f(x) and dx = dy f'(x), where each curve below gives f and f' of a vector.
namespace boostr::cpu::BOOSTR_ISA {
namespace {

constexpr std::int64_t grain = 4096;  // elements worth a thread

/// Registers of a piece: more of shorter ones, whose exponentials would wait for themselves.
constexpr int piece_size = simd_bytes < 64 ? 6 : pack_size;

/// f(x) and f'(x).
template <class P>
struct Curve {
  P value, slope;
};

/// 1 / (1 + e^-x), and its slope: the product of it and the same of -x, without cancellation.
template <class P>
struct Sigmoid {
  explicit Sigmoid(const P& x) {
    const P e = exp_nonpositive(negative_abs(x));
    const P larger = reciprocal(e + 1), smaller = larger * e;
    value = where_positive(x, larger, smaller);
    slope = larger * smaller;
  }
  P value, slope;
};

/// The distribution function of the standard normal: erfc(-x / sqrt 2) / 2. erfc by the Chebyshev
/// fit of Numerical Recipes (section 6.2), 1.2e-7 relative on both tails.
template <int n>
Pack<float, n> normal_cdf(const Pack<float, n>& x) {
  // From -28 on the tail is exactly 0.
  const auto z = max(-28.0f, negative_abs(x)) * -0.70710678f;
  const auto t = reciprocal(z * 0.5f + 1.0f);
  auto p = t * 0.17087277f + -0.82215223f;
  for (const float c : {1.48851587f, -1.13520398f, 0.27886807f, -0.18628806f, 0.09678418f,
                        0.37409196f, 1.00002368f, -1.26551223f}) {
    p = p * t + c;
  }
  const auto tail = t * 0.5f * exp_nonpositive(p - z * z);
  return where_positive(x, tail * -1.0f + 1.0f, tail);
}
template <int n>
Pack<double, n> normal_cdf(Pack<double, n> x) {
  for (Vec<double>& part : x.part)
    for (int i = 0; i < lanes<double>; ++i)
      part[i] = 0.5 * std::erfc(-part[i] / std::numbers::sqrt2);
  return x;
}

struct Silu {
  template <class A, int n>
  static Curve<Pack<A, n>> at(const Pack<A, n>& x) {
    const Sigmoid s(x);
    return {x * s.value, s.value + x * s.slope};
  }
};

/// x Phi(x).
struct Gelu {
  template <class A, int n>
  static Curve<Pack<A, n>> at(const Pack<A, n>& x) {
    constexpr A inv_sqrt_2pi = A(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
    const auto phi = normal_cdf(x);
    return {x * phi, phi + x * (exp_nonpositive(x * x * A(-0.5)) * inv_sqrt_2pi)};
  }
};

/// 0.5 x (1 + tanh u) with u = sqrt(2 / pi) (x + 0.044715 x^3), where 0.5 (1 + tanh u) = sigmoid(2
/// u).
struct GeluTanh {
  template <class A, int n>
  static Curve<Pack<A, n>> at(const Pack<A, n>& x) {
    constexpr A two_c = A(std::numbers::sqrt2 * std::numbers::inv_sqrtpi * 2);
    constexpr A cubic = two_c * A(0.044715);
    // An overflow to infinity is as good as any u above 104.
    const Sigmoid s(x * (x * x * cubic + two_c));
    // At 40 the slope is exactly 0 or 1, and x^3 is far from overflow.
    const auto z = min(A(40), max(A(-40), x));
    return {x * s.value, s.value + z * s.slope * (z * z * (3 * cubic) + two_c)};
  }
};

template <class F>
void dispatch_curve(Activation activation, F&& f) {
  switch (activation) {
    case Activation::silu:
      return f.template operator()<Silu>();
    case Activation::gelu:
      return f.template operator()<Gelu>();
    case Activation::gelu_tanh:
      return f.template operator()<GeluTanh>();
  }
}

/// Calls body.template operator()<S, F>(begin, piece) for every piece of every thread's part of x,
/// which begins at `begin`.
template <class Body>
void for_each_element(const Stream& stream, In x, Activation activation, Body&& body) {
  dispatch_curve(activation, [&]<class F>() {
    dispatch_float(x.dtype, [&]<class S>() {
      parallel_for(stream, x.shape.numel(), grain, [&](std::int64_t begin, std::int64_t end) {
        for_each_piece<Accumulator<S>, piece_size>(
            end - begin, [&](auto piece) { body.template operator()<S, F>(begin, piece); });
        finish_stores_around_caches();
      });
    });
  });
}

/// load from a tensor that is gone over once.
template <class S, int n>
Pack<Accumulator<S>, n> load_stream(const S* p, Piece<n> piece) {
  prefetch_ahead(p, piece);
  return load(p, piece);
}

}  // namespace

void activation(Stream& stream, Out y, In x, Activation activation) {
  const bool around_caches = goes_around_caches(y);
  for_each_element(stream, x, activation, [&]<class S, class F>(std::int64_t begin, auto piece) {
    store(y.as<S>() + begin, F::at(load_stream(x.as<S>() + begin, piece)).value, piece,
          around_caches);
  });
}

void activation_grad(Stream& stream, Out dx, In dy, In x, Activation activation) {
  const bool around_caches = goes_around_caches(dx);
  for_each_element(stream, x, activation, [&]<class S, class F>(std::int64_t begin, auto piece) {
    const auto slope = F::at(load_stream(x.as<S>() + begin, piece)).slope;
    store(dx.as<S>() + begin, load_stream(dy.as<S>() + begin, piece) * slope, piece, around_caches);
  });
}

void gated_activation(Stream& stream, Out y, In gate, In up, Activation activation) {
  const bool around_caches = goes_around_caches(y);
  for_each_element(stream, gate, activation, [&]<class S, class F>(std::int64_t begin, auto piece) {
    const auto value = F::at(load_stream(gate.as<S>() + begin, piece)).value;
    store(y.as<S>() + begin, value * load_stream(up.as<S>() + begin, piece), piece, around_caches);
  });
}

void gated_activation_grad(Stream& stream, Out dgate, Out dup, In dy, In gate, In up,
                           Activation activation) {
  const bool around_caches = goes_around_caches(dgate) && goes_around_caches(dup);
  for_each_element(stream, gate, activation, [&]<class S, class F>(std::int64_t begin, auto piece) {
    if (!around_caches) {  // or the stores would wait for their lines
      prefetch_ahead(dgate.as<S>() + begin, piece);
      prefetch_ahead(dup.as<S>() + begin, piece);
    }
    const auto f = F::at(load_stream(gate.as<S>() + begin, piece));
    const auto g = load_stream(dy.as<S>() + begin, piece);
    const auto u = load_stream(up.as<S>() + begin, piece);
    store(dgate.as<S>() + begin, g * u * f.slope, piece, around_caches);
    store(dup.as<S>() + begin, g * f.value, piece, around_caches);
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
