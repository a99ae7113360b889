#include <cmath>
#include <numbers>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/rows.h"
#include "kernels/cpu/vector_math.h"

// Elementwise: y = f(x) and dx = dy f'(x), where each curve below gives f and f' of a vector.
namespace boostr::cpu::BOOSTR_ISA {
namespace {

constexpr std::int64_t grain = 4096;  // elements worth a thread

/// f(x) and f'(x).
template <class A>
struct Curve {
  Vec<A> value;
  Vec<A> slope;
};

/// 1 / (1 + e^-x), and the same of -x without cancellation.
template <class A>
struct Sigmoid {
  explicit Sigmoid(Vec<A> x) {
    const Vec<A> e = exp_nonpositive(negative_abs(x));
    const Vec<A> larger = reciprocal(1 + e), smaller = larger * e;
    value = x > 0 ? larger : smaller;
    complement = x > 0 ? smaller : larger;
  }
  Vec<A> value, complement;
};

/// The distribution function of the standard normal: erfc(-x / sqrt 2) / 2. erfc by the Chebyshev
/// fit of Numerical Recipes (section 6.2), 1.2e-7 relative on both tails.
Vec<float> normal_cdf(Vec<float> x) {
  // From -28 on the tail is exactly 0.
  const Vec<float> z = max(splat(-28.0f), negative_abs(x)) * -0.70710678f;
  const Vec<float> t = reciprocal(1.0f + 0.5f * z);
  Vec<float> p = splat(0.17087277f);
  for (float c : {-0.82215223f, 1.48851587f, -1.13520398f, 0.27886807f, -0.18628806f, 0.09678418f,
                  0.37409196f, 1.00002368f, -1.26551223f}) {
    p = p * t + c;
  }
  const Vec<float> tail = 0.5f * t * exp_nonpositive(p - z * z);
  return x > 0.0f ? 1.0f - tail : tail;
}
Vec<double> normal_cdf(Vec<double> x) {
  for (int i = 0; i < lanes<double>; ++i) x[i] = 0.5 * std::erfc(-x[i] / std::numbers::sqrt2);
  return x;
}

struct Silu {
  template <class A>
  static Curve<A> at(Vec<A> x) {
    const Sigmoid<A> s(x);
    const Vec<A> value = x * s.value;
    return {value, s.value + value * s.complement};
  }
};

/// x Phi(x).
struct Gelu {
  template <class A>
  static Curve<A> at(Vec<A> x) {
    constexpr A inv_sqrt_2pi = A(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
    const Vec<A> phi = normal_cdf(x);
    return {x * phi, phi + x * (exp_nonpositive(x * x * A(-0.5)) * inv_sqrt_2pi)};
  }
};

/// 0.5 x (1 + tanh u) with u = sqrt(2 / pi) (x + 0.044715 x^3), where 0.5 (1 + tanh u) = sigmoid(2
/// u).
struct GeluTanh {
  template <class A>
  static Curve<A> at(Vec<A> x) {
    constexpr A two_c = A(std::numbers::sqrt2 * std::numbers::inv_sqrtpi * 2);
    constexpr A cubic = A(0.044715);
    // At 40 the sigmoid is exactly 0 or 1, and x^3 is far from overflow. In this order, a NaN stays
    // one.
    const Vec<A> z = min(splat(A(40)), max(splat(A(-40)), x));
    const Vec<A> z2 = z * z;
    const Sigmoid<A> s(two_c * z * (1 + cubic * z2));
    return {x * s.value, s.value + z * s.value * s.complement * (two_c * (1 + 3 * cubic * z2))};
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

/// Calls body.template operator()<S, F>(i, n) for every vector of n elements from i, in parallel.
template <class Body>
void for_each_element(const Stream& stream, In x, Activation activation, Body&& body) {
  dispatch_curve(activation, [&]<class F>() {
    dispatch_float(x.dtype, [&]<class S>() {
      parallel_for(stream, x.shape.numel(), grain, [&](std::int64_t begin, std::int64_t end) {
        for_each_vector(end - begin, lanes<Accumulator<S>>, [&](std::int64_t i, std::int64_t n) {
          body.template operator()<S, F>(begin + i, n);
        });
        finish_stores_around_caches();
      });
    });
  });
}

/// load_n from a tensor that is gone over once.
template <class S>
Vec<Accumulator<S>> load_stream(const S* p, std::int64_t n) {
  prefetch_ahead(p);
  return load_n(p, n);
}

}  // namespace

void activation(Stream& stream, Out y, In x, Activation activation) {
  const bool around_caches = goes_around_caches(y);
  for_each_element(stream, x, activation, [&]<class S, class F>(std::int64_t i, std::int64_t n) {
    using A = Accumulator<S>;
    store_n(y.as<S>() + i, F::template at<A>(load_stream(x.as<S>() + i, n)).value, n,
            around_caches);
  });
}

void activation_grad(Stream& stream, Out dx, In dy, In x, Activation activation) {
  const bool around_caches = goes_around_caches(dx);
  for_each_element(stream, x, activation, [&]<class S, class F>(std::int64_t i, std::int64_t n) {
    using A = Accumulator<S>;
    const Vec<A> slope = F::template at<A>(load_stream(x.as<S>() + i, n)).slope;
    store_n(dx.as<S>() + i, load_stream(dy.as<S>() + i, n) * slope, n, around_caches);
  });
}

void gated_activation(Stream& stream, Out y, In gate, In up, Activation activation) {
  const bool around_caches = goes_around_caches(y);
  for_each_element(stream, gate, activation, [&]<class S, class F>(std::int64_t i, std::int64_t n) {
    using A = Accumulator<S>;
    const Vec<A> value = F::template at<A>(load_stream(gate.as<S>() + i, n)).value;
    store_n(y.as<S>() + i, value * load_stream(up.as<S>() + i, n), n, around_caches);
  });
}

void gated_activation_grad(Stream& stream, Out dgate, Out dup, In dy, In gate, In up,
                           Activation activation) {
  const bool around_caches = goes_around_caches(dgate) && goes_around_caches(dup);
  for_each_element(stream, gate, activation, [&]<class S, class F>(std::int64_t i, std::int64_t n) {
    using A = Accumulator<S>;
    const Curve<A> f = F::template at<A>(load_stream(gate.as<S>() + i, n));
    const Vec<A> g = load_stream(dy.as<S>() + i, n);
    const Vec<A> u = load_stream(up.as<S>() + i, n);
    store_n(dgate.as<S>() + i, g * u * f.slope, n, around_caches);
    store_n(dup.as<S>() + i, g * f.value, n, around_caches);
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
