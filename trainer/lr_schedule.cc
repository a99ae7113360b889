#include "trainer/lr_schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

/// From 0 at step `begin` to 1 at step `end`.
double progress(std::int64_t step, std::int64_t begin, std::int64_t end) {
  if (end <= begin) return step > begin ? 1.0 : 0.0;
  return std::clamp(static_cast<double>(step - begin) / static_cast<double>(end - begin), 0.0, 1.0);
}

}  // namespace

LrSchedule::LrSchedule(const LrScheduleSection& section, std::int64_t total_steps)
    : section_(section), total_steps_(total_steps) {
  if (section_.decay_steps < 0) section_.decay_steps = std::max<std::int64_t>(1, total_steps / 10);
}

double LrSchedule::factor(std::int64_t step) const {
  if (step <= section_.warmup_steps)
    return static_cast<double>(step) / static_cast<double>(section_.warmup_steps);
  return after_warmup(step);
}

double LrSchedule::after_warmup(std::int64_t step) const {
  const std::int64_t full = std::max<std::int64_t>(section_.warmup_steps, 1);
  const double least = section_.min_lr_factor;
  const double p = progress(step, full, total_steps_);
  if (section_.decay == "constant") return 1.0;
  if (section_.decay == "linear") return 1.0 - p * (1.0 - least);
  if (section_.decay == "cosine")
    return least + (1.0 - least) * 0.5 * (1.0 + std::cos(std::numbers::pi * p));
  if (section_.decay == "wsd")
    return 1.0 - (1.0 - least) * progress(step, std::max(full, total_steps_ - section_.decay_steps),
                                          total_steps_);
  expect(section_.decay == "inverse_sqrt", "unknown lr_schedule.decay '", section_.decay, "'");
  return std::max(least, std::sqrt(static_cast<double>(full) / static_cast<double>(step)));
}

}  // namespace boostr
