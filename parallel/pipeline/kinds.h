#pragma once

#include <span>
#include <string>
#include <string_view>

#include "parallel/pipeline/schedule.h"
#include "parallel/pipeline/simulate.h"

namespace boostr {

/// A schedule that is known by name.
struct ScheduleKind {
  std::string_view name;
  std::string_view summary;
  Placement placement = Placement::looped;
  int least_chunks = 1;
  int most_chunks = 1;
  /// What one rank does, in order; null for auto, which is searched for.
  std::vector<Pass> (*order)(const PipelineShape& shape, int rank) = nullptr;
};

/// All of them.
std::span<const ScheduleKind> schedule_kinds();

/// "gpipe, 1f1b, ...".
std::string schedule_kind_names();

/// The one of this name; Error(usage) if there is none.
const ScheduleKind& schedule_kind(std::string_view name);

/// Error(usage) unless there can be a schedule of this kind and shape.
void require_fits(const ScheduleKind& kind, const PipelineShape& shape);

/// What to make a schedule for: only auto looks at the costs and at memory.
struct ScheduleRequest {
  PipelineShape shape;
  std::vector<StageCosts> costs = {};  ///< by virtual stage
  double memory_limit = 1;             ///< of peak activations, in multiples of 1f1b's
  double weight_memory = usual_weight_memory;
};

/// Error(usage) if there is no such kind, or if the shape does not fit it.
Schedule make_schedule(std::string_view kind, const ScheduleRequest& request);

}  // namespace boostr
