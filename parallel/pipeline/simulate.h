#pragma once

#include <span>
#include <vector>

#include "parallel/pipeline/schedule.h"

namespace boostr {

/// How long the passes of one virtual stage take, in any unit of time. `communication` is that of a
/// message which leaves it for another rank, either way; ranks work on meanwhile.
struct StageCosts {
  double forward = 0;
  double backward_input = 0;
  double backward_weight = 0;
  double communication = 0;
  double of(PassKind kind) const;
};

/// The costs of all virtual stages where every rank's `stage` is cut into equal chunks. A message
/// is as large however thin the chunk.
std::vector<StageCosts> even_costs(const StageCosts& stage, const PipelineShape& shape);

/// When a pass ran.
struct TimedPass {
  Pass pass;
  double begin = 0;
  double end = 0;
};

/// A schedule in time, simulated or measured.
using PipelineTimeline = std::vector<std::vector<TimedPass>>;  // by rank, in order

/// The mean times of the passes of each virtual stage in a timeline of the schedule, as it ran; what
/// passes of both halves took is shared out between them equally. A message takes as long as the
/// soonest of those that a rank waited for.
std::vector<StageCosts> mean_costs(const Schedule& schedule, const PipelineTimeline& timeline);

/// What is kept of a microbatch between B and W, the inputs of products with weights and their
/// gradients, as a part of all its activations, which are kept from F to B: about a half; 0.37 to
/// 0.43 for the models of arXiv 2401.10241, whose attention keeps its scores.
constexpr double usual_weight_memory = 0.5;

/// What a schedule comes to.
struct Simulation {
  PipelineTimeline timeline;
  double makespan = 0;  ///< from the first begin to the last end
  /// (cost - work) / cost, with cost the longest time from a rank's first begin to its last end and
  /// work that of the busiest rank, which is m (T_F + T_B + T_W) where all are equal (Zero Bubble
  /// Pipeline Parallelism, arXiv 2401.10241).
  double bubble_rate = 0;
  /// By rank: the most that is held at a time, in microbatches through all of the rank's layers:
  /// all of a microbatch from the begin of F to the end of B, `weight_memory` of it until the end
  /// of W; each of the rank's chunks holds an equal part.
  std::vector<double> peak_activations;
};

/// The longest time that a rank takes from the begin of its first pass to the end of its last: what a
/// step takes among many where ranks need not wait for each other in between.
double longest_span(const PipelineTimeline& timeline);

/// The bubble rate of a timeline, as Simulation has it.
double bubble_rate(const PipelineTimeline& timeline);

/// Runs the schedule against the clock: a pass begins when the rank is free and its input has
/// arrived. The schedule must be valid; one that deadlocks is an internal Error.
Simulation simulate(const Schedule& schedule, std::span<const StageCosts> costs,
                    double weight_memory = usual_weight_memory);

/// Only the peaks, which do not depend on time.
std::vector<double> peak_activations(const Schedule& schedule,
                                     double weight_memory = usual_weight_memory);

/// What the memory of other schedules is measured by: the peak of 1f1b.
double one_f_one_b_peak(const PipelineShape& shape);

}  // namespace boostr
