#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "parallel/pipeline/simulate.h"

namespace boostr {

/// What the schedule verb was asked for.
struct ScheduleOptions {
  std::string kind;  ///< a schedule's name, or a CSV file
  /// 0: what the file says; for chunks, as few as the kind takes.
  PipelineShape shape{.stages = 0, .microbatches = 0, .chunks = 0};
  std::vector<double> times = {1, 1, 1, 0};  ///< T_F, T_B, T_W and T_comm of a whole stage, in ms
  double memory_limit =
      0;  ///< of peak activations, in multiples of 1f1b's; 0: 1 for auto, else none
  double weight_memory = usual_weight_memory;  ///< kept of a microbatch between B and W
  std::string csv, svg;                        ///< files to write; empty: none
  int width = 120;                             ///< of the timeline, in characters
  bool json = false;
};

/// The schedule verb: prints what a pipeline schedule comes to at the given times, with its
/// timeline, or one JSON object. Returns the exit code.
int schedule_command(const ScheduleOptions& options, std::ostream& out);

}  // namespace boostr
