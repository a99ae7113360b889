#pragma once

#include <cmath>

#include "kernels/cpu/optimizer_pass.h"

namespace boostr::cpu::BOOSTR_ISA {

/// What AdamW and LAMB share: m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2, and
/// mhat / (sqrt(vhat) + eps) with mhat = m / (1 - beta1^t), vhat = v / (1 - beta2^t). Scalars are
/// rounded to A once.
template <class A>
struct AdamMoments {
  A beta1, beta2, rest1, rest2, eps, grad_factor;
  A inverse_correction1;       ///< 1 / (1 - beta1^t)
  A inverse_sqrt_correction2;  ///< 1 / sqrt(1 - beta2^t)

  explicit AdamMoments(const AdamWStep& step)
      : beta1(A(step.beta1)),
        beta2(A(step.beta2)),
        rest1(A(1 - step.beta1)),
        rest2(A(1 - step.beta2)),
        eps(A(step.eps)),
        grad_factor(A(step.grad_factor)),
        inverse_correction1(A(1 / (1 - std::pow(step.beta1, double(step.step))))),
        inverse_sqrt_correction2(A(1 / std::sqrt(1 - std::pow(step.beta2, double(step.step))))) {}

  /// Updates the moments of n elements from i on in memory. Fetches what the kernels read ahead.
  void update(const SlicePointers<A>& slice, std::int64_t i, std::int64_t n, Vec<A>& m,
              Vec<A>& v) const {
    prefetch_ahead(slice.grad + i);
    prefetch_ahead(slice.exp_avg + i);
    prefetch_ahead(slice.exp_avg_sq + i);
    prefetch_ahead(slice.master + i);
    const Vec<A> grad = load_n(slice.grad + i, n) * grad_factor;
    m = beta1 * load_n(slice.exp_avg + i, n) + rest1 * grad;
    // Lanes past the end get v > 0, so that they stay finite with eps = 0.
    v = beta2 * load_n(slice.exp_avg_sq + i, n, A(1)) + rest2 * grad * grad;
    store_n(slice.exp_avg + i, m, n);
    store_n(slice.exp_avg_sq + i, v, n);
  }
  Vec<A> direction(Vec<A> m, Vec<A> v) const {
    return m * inverse_correction1 / (sqrt(v) * inverse_sqrt_correction2 + eps);
  }
};

}  // namespace boostr::cpu::BOOSTR_ISA
