#pragma once

#include <cmath>

#include "kernels/cpu/optimizer_pass.h"

namespace boostr::cpu::BOOSTR_ISA {

/// A vector of the elements of a slice.
template <class A>
struct Elements {
  Vec<A> master, exp_avg, exp_avg_sq;
};

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

  /// Updates the moments of n elements from i on in memory and returns them with the weights.
  /// Fetches what the kernels read ahead. All loads come before the first store: tensors that
  /// lie at the same place of their pages would make a load behind a store wait for it, as if it
  /// read what was stored ("4K aliasing", Intel's optimization manual; it took half of the time).
  Elements<A> update(const SlicePointers<A>& slice, std::int64_t i, std::int64_t n) const {
    prefetch_ahead(slice.grad + i);
    prefetch_ahead(slice.exp_avg + i);
    prefetch_ahead(slice.exp_avg_sq + i);
    prefetch_ahead(slice.master + i);
    const Vec<A> grad = load_n(slice.grad + i, n) * grad_factor;
    // Lanes past the end get v > 0, so that they stay finite with eps = 0.
    Elements<A> e{load_n(slice.master + i, n), load_n(slice.exp_avg + i, n),
                  load_n(slice.exp_avg_sq + i, n, A(1))};
    e.exp_avg = beta1 * e.exp_avg + rest1 * grad;
    e.exp_avg_sq = beta2 * e.exp_avg_sq + rest2 * grad * grad;
    store_n(slice.new_exp_avg + i, e.exp_avg, n, slice.around_caches);
    store_n(slice.new_exp_avg_sq + i, e.exp_avg_sq, n, slice.around_caches);
    return e;
  }
  Vec<A> direction(const Elements<A>& e) const {
    return e.exp_avg * inverse_correction1 / (sqrt(e.exp_avg_sq) * inverse_sqrt_correction2 + eps);
  }
};

}  // namespace boostr::cpu::BOOSTR_ISA
