#pragma once

#include <vector>

#include "models/model_part.h"
#include "parallel/pipeline/schedule.h"
#include "parallel/pipeline/simulate.h"
#include "trainer/recipe.h"

namespace boostr {

/// How a recipe's model and batch run through a pipeline.
struct PipelineLayout {
  std::vector<ModelPart> parts;   ///< by virtual stage
  std::vector<StageCosts> costs;  ///< by virtual stage, in the unit of the chain's costs
  Schedule schedule;

  /// The parts of a rank's chunks.
  std::vector<ModelPart> parts_of(int rank) const;
};

/// The chain cut evenly by cost and the schedule of parallelism.pipeline_parallel_schedule, which
/// may be a CSV file. Costs are estimated: both halves of a backward are a forward each, messages
/// take no time. Error(usage) where the schedule does not fit, or the chain has fewer links than the
/// pipeline virtual stages.
PipelineLayout pipeline_layout(const ParallelismSection& section, std::int64_t num_layers,
                               const ChainCosts& links, int microbatches);

/// The schedule of `auto` for other costs, where the parts stay on their ranks; the layout's own if
/// there is none. The same on all ranks that ask with the same costs.
Schedule schedule_for(const ParallelismSection& section, const PipelineLayout& layout,
                      const std::vector<StageCosts>& costs);

/// Why there is no such schedule with so many chunks; empty if there is one.
std::string chunks_problem(const ParallelismSection& section);

/// Why pipeline_layout would fail, empty if it would not. Searches for a schedule only where there
/// may be none.
std::string pipeline_problem(const ParallelismSection& section, std::int64_t num_layers,
                             int microbatches);

/// The same schedule with its forwards alone, for validation.
Schedule forwards_of(const Schedule& schedule);

}  // namespace boostr
