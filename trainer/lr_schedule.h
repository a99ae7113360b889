#pragma once

#include <cstdint>

#include "trainer/recipe.h"

namespace boostr {

/// The learning rate of each step as a fraction of the base rate. Steps count from 1.
///
/// Warmup: step s <= warmup_steps has s / warmup_steps, so the first step is not 0 and step
/// warmup_steps is at the full rate; without warmup step 1 is. From there, with progress p going
/// from 0 to 1 at the last step:
/// - constant: 1
/// - linear: 1 - p (1 - min)
/// - cosine: min + (1 - min) (1 + cos(pi p)) / 2 (arXiv 1608.03983)
/// - wsd: 1, then linear to min over the last decay_steps (arXiv 2404.06395)
/// - inverse_sqrt: sqrt(max(warmup_steps, 1) / s), not below min (arXiv 1706.03762)
class LrSchedule {
 public:
  LrSchedule(const LrScheduleSection& section, std::int64_t total_steps);
  double factor(std::int64_t step) const;

 private:
  double after_warmup(std::int64_t step) const;

  LrScheduleSection section_;
  std::int64_t total_steps_;
};

}  // namespace boostr
