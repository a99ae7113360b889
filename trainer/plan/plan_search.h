#pragma once

#include <optional>
#include <string>
#include <vector>

#include "trainer/plan/plan.h"

namespace boostr {

/// Another way to lay a recipe out on the same ranks.
struct PlannedLayout {
  std::vector<std::string> overrides;  ///< what to write behind the recipe for it
  int distance = 0;                    ///< how much that changes
  Plan plan;
};

/// What of `from` may be changed, tried on its ranks and its batch: tensor and pipeline degrees,
/// ZeRO stage, recomputation, microbatch and schedule. Those that fit, the fastest first, at most
/// `most`.
std::vector<PlannedLayout> best_layouts(const Plan& from, const DeviceModel& device, int threads,
                                        std::size_t most);

/// The one that fits with the least change, and among these the fastest; nothing if none fits.
std::optional<PlannedLayout> nearest_layout(const Plan& from, const DeviceModel& device,
                                            int threads);

}  // namespace boostr
