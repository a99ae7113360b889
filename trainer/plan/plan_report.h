#pragma once

#include <optional>
#include <string>
#include <vector>

#include "trainer/plan/plan_search.h"

namespace boostr {

/// A plan and what else was asked for.
struct PlanReport {
  Plan plan;
  double process_bytes = 0;                        ///< of a rank's process; 0: not known
  std::optional<PlannedLayout> nearest;            ///< where the plan does not fit
  std::optional<std::vector<PlannedLayout>> best;  ///< where layouts were searched
};

/// As lines for people, and as one JSON object.
std::string plan_text(const PlanReport& report, const DeviceModel& device);
std::string plan_json(const PlanReport& report, const DeviceModel& device);

}  // namespace boostr
