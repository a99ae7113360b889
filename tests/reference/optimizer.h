#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/kernel_table.h"

/// Naive double loops: one step of each optimizer on one tensor, as PyTorch's documentation writes
/// the algorithms.
namespace boostr::reference {

struct OptimizerState {
  std::vector<double> weights, exp_avg, exp_avg_sq;
  double lr = 0, weight_decay = 0;
};

/// torch.optim.AdamW, algorithm of its documentation.
inline void adamw(OptimizerState& state, const std::vector<double>& grad, const AdamWStep& step) {
  for (std::size_t i = 0; i < grad.size(); ++i) {
    const double g = grad[i] * step.grad_factor;
    double& p = state.weights[i];
    double &m = state.exp_avg[i], &v = state.exp_avg_sq[i];
    p = p - state.lr * state.weight_decay * p;
    m = step.beta1 * m + (1 - step.beta1) * g;
    v = step.beta2 * v + (1 - step.beta2) * g * g;
    const double m_hat = m / (1 - std::pow(step.beta1, step.step));
    const double v_hat = v / (1 - std::pow(step.beta2, step.step));
    p = p - state.lr * m_hat / (std::sqrt(v_hat) + step.eps);
  }
}

struct LambNorms {
  double weights = 0, update = 0;  ///< squared
};

/// LAMB (arXiv 1904.00962, algorithm 2) with the trust ratio given; `update` receives u.
inline LambNorms lamb_moments(OptimizerState& state, const std::vector<double>& grad,
                              const AdamWStep& step, std::vector<double>& update) {
  LambNorms norms;
  update.assign(grad.size(), 0.0);
  for (std::size_t i = 0; i < grad.size(); ++i) {
    const double g = grad[i] * step.grad_factor;
    double &m = state.exp_avg[i], &v = state.exp_avg_sq[i];
    m = step.beta1 * m + (1 - step.beta1) * g;
    v = step.beta2 * v + (1 - step.beta2) * g * g;
    const double m_hat = m / (1 - std::pow(step.beta1, step.step));
    const double v_hat = v / (1 - std::pow(step.beta2, step.step));
    update[i] = m_hat / (std::sqrt(v_hat) + step.eps) + state.weight_decay * state.weights[i];
    norms.weights += state.weights[i] * state.weights[i];
    norms.update += update[i] * update[i];
  }
  return norms;
}
inline void lamb_apply(OptimizerState& state, const std::vector<double>& update, double trust) {
  for (std::size_t i = 0; i < update.size(); ++i) state.weights[i] -= state.lr * trust * update[i];
}

/// torch.optim.SGD with dampening 0.
inline void sgd(OptimizerState& state, const std::vector<double>& grad, const SgdStep& step) {
  for (std::size_t i = 0; i < grad.size(); ++i) {
    double g = grad[i] * step.grad_factor + state.weight_decay * state.weights[i];
    double& buffer = state.exp_avg[i];
    if (step.momentum != 0) {
      buffer = step.step > 1 ? step.momentum * buffer + g : g;
      g = step.nesterov ? g + step.momentum * buffer : buffer;
    }
    state.weights[i] -= state.lr * g;
  }
}

}  // namespace boostr::reference
