#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "models/model.h"
#include "parallel/mesh.h"
#include "parallel/pipeline/runner.h"
#include "parallel/pipeline/tied_parameter.h"
#include "parallel/zero/zero.h"
#include "trainer/data/batch.h"
#include "trainer/pipeline_layout.h"
#include "trainer/recipe.h"

namespace boostr {

/// What the recipe wants computed again in the backward. Error(usage) if it names layers that the
/// model does not have.
Recomputation recomputation_of(const Recipe& recipe);

/// A model cut for the pipeline of a mesh: which parts this rank holds, and the way of its share of
/// a global batch through them. A pipeline of one stage is plain accumulation of gradients over
/// microbatches.
class TrainingPipeline {
 public:
  /// Lays the pipeline out; `model`, `mesh` must outlive it. Error(usage) if the recipe's schedule
  /// does not fit. Collective over the pipeline.
  TrainingPipeline(const Recipe& recipe, Mesh& mesh, Model& model, DType dtype);
  /// The same on a layout that was made before.
  TrainingPipeline(const Recipe& recipe, Mesh& mesh, Model& model, DType dtype,
                   PipelineLayout layout);

  /// What ZeRO lays out on this rank.
  const ModelShare& share() const { return share_; }
  const PipelineLayout& layout() const { return layout_; }

  /// Forward and backward of this rank's chunks over the batch's microbatches, and the reduction of
  /// their gradients. Returns scale * the sum of the batch's cross entropies on the rank that holds
  /// the head, 0 on the others; nothing if `may_go_on`, which is asked when the pipeline is filled
  /// and no gradient was touched yet, says on all ranks that it was in vain. Collective.
  std::optional<double> train(const Batch& batch, double scale, Zero& zero,
                              const std::function<bool()>& may_go_on = {});
  /// The last part of it.
  void reduce_gradients(Zero& zero) const;
  /// Forward alone: the sum of the cross entropies likewise.
  double evaluate(const Batch& batch);

  /// How often a schedule was made: `auto` makes another from the times of the second step.
  int schedules_made() const { return schedules_made_; }
  /// How the last of these ran.
  const PipelineRunner& runner() const { return runner_; }

 private:
  /// Collective.
  void search_again();

  const ParallelismSection section_;
  Mesh& mesh_;
  Model& model_;
  Recomputation recomputation_;
  std::int64_t rows_;  ///< of a microbatch
  PipelineLayout layout_;
  Schedule forwards_;
  std::vector<std::size_t> warm_up_;  ///< of the schedule, once it was asked for
  std::vector<ModelPart> held_;
  ModelShare share_;
  std::optional<TiedParameter> tied_;
  PipelineRunner runner_;
  int steps_ = 0;
  int schedules_made_ = 1;
};

}  // namespace boostr
