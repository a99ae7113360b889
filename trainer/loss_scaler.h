#pragma once

#include <cstdint>

#include "kernels/runtime/dtype.h"

namespace boostr {

/// Dynamic loss scaling (arXiv 1710.03740): f16 gradients are computed of scale * loss, so that
/// small ones do not vanish. The scale halves when a gradient is not finite (that step is skipped)
/// and doubles after `window` finite steps in a row. For other types the scale is 1 and never
/// changes.
class LossScaler {
 public:
  struct State {
    double scale = 1.0;
    std::int64_t finite_steps = 0;
    friend bool operator==(const State&, const State&) = default;
  };

  LossScaler(DType compute, double initial_scale, std::int64_t window);

  double scale() const { return state_.scale; }
  /// After each step. Returns whether a non-finite gradient was the scale's doing: it could be
  /// halved, so that the step need only be skipped.
  bool update(bool finite);
  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  bool dynamic_;
  std::int64_t window_;
  State state_;
};

}  // namespace boostr
