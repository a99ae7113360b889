#include "trainer/loss_scaler.h"

#include <algorithm>

namespace boostr {
namespace {

constexpr double largest_scale =
    16777216.0;  // 2^24: beyond it even a gradient of 0.004 overflows f16

}  // namespace

LossScaler::LossScaler(DType compute, double initial_scale, std::int64_t window)
    : dynamic_(compute == DType::f16), window_(window) {
  if (dynamic_) state_.scale = initial_scale;
}

bool LossScaler::update(bool finite) {
  if (!dynamic_) return false;
  if (finite) {
    if (++state_.finite_steps < window_) return false;
    state_ = {std::min(state_.scale * 2, largest_scale), 0};
    return false;
  }
  const bool can_halve = state_.scale > 1.0;
  state_ = {std::max(state_.scale / 2, 1.0), 0};
  return can_halve;
}

}  // namespace boostr
