#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/model.h"
#include "parallel/mesh.h"
#include "parallel/zero/zero.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/data/batch_loader.h"
#include "trainer/loss_scaler.h"
#include "trainer/lr_schedule.h"
#include "trainer/optimizer.h"
#include "trainer/recipe.h"
#include "trainer/training_pipeline.h"

namespace boostr {

/// What one training step did, the same on every rank.
struct StepReport {
  std::int64_t step = 0;  ///< counts from 1
  double loss = 0;  ///< mean cross entropy over all targets of the global batch, before the update;
                    ///< nats per token
  double grad_norm = 0;  ///< before clipping
  double lr = 0;
  double loss_scale = 1;    ///< that the gradients were computed with
  bool skipped = false;     ///< a non-finite loss or gradient: no update was made
  bool redone = false;      ///< the update on trial was taken back
  std::int64_t tokens = 0;  ///< targets of the global batch
};

/// Mean loss over validation data.
struct ValidationReport {
  double loss = 0;
  std::int64_t tokens = 0;
};

/// The element type that precision.compute names; Error(usage) for another.
DType dtype_named(const std::string& name);

/// The model, its optimizer and its data on one rank of a mesh, and the step that advances them.
/// Collective: every rank makes the same calls.
class Trainer {
 public:
  /// Builds the model and initialises it from training.seed. `dataset` must outlive the trainer.
  Trainer(const Recipe& recipe, Mesh& mesh, const Dataset& dataset);

  /// One optimizer step on the next global batch. Throws Error(numeric) on every rank alike if the
  /// loss or a gradient is not finite and training.non_finite is `stop`.
  StepReport step();

  /// A step in pieces: this rank's part of the next global batch, the work on it, and what came of
  /// it. With optimizer.post_validation a step may be settled only within advance() of the next one,
  /// when the pipeline is filled: until then its update is on trial, and wrong if the gradient had to
  /// be clipped or was not finite; it is then taken back, to the bit, and made anew.
  Batch next_batch() { return loader_->next(); }
  /// Called when a step has been settled, with all ranks.
  using Settled = std::function<void(const StepReport&)>;
  /// Returns the targets of the global batch.
  std::int64_t advance(const Batch& batch, const Settled& settled);
  /// The last step, unless it is settled. Before whatever else is asked of the trainer.
  void settle(const Settled& settled);

  /// Mean loss over the validation samples, at most training.validation_batches global batches.
  ValidationReport validate();

  /// The pipeline on this rank.
  const TrainingPipeline& pipeline() const { return *pipeline_; }

  std::int64_t steps_done() const { return step_; }
  /// Elements of all parameters, each counted once.
  std::int64_t num_parameters() const;
  double flops_per_sequence() const { return model_->flops_per_sequence(recipe_.training.seq_len); }

  /// The tensors this rank writes to a checkpoint, and the state all ranks share (without the
  /// recipe).
  std::vector<CheckpointTensor> checkpoint_tensors() const;
  TrainingState training_state() const;
  /// Every tensor this rank needs from a checkpoint. Once they are filled, restore() continues from
  /// there and returns what is different about the data, a sentence each.
  std::vector<CheckpointTensor> tensors_to_load() const;
  /// The gradients of the last step, before clipping, where this rank owns them: group "gradients".
  std::vector<CheckpointTensor> gradients() const;
  std::vector<std::string> restore(const TrainingState& state);

 private:
  void initialize();
  /// A step whose gradients are there.
  struct OpenStep {
    StepReport report;
    double loss = 0;            ///< this rank's, scaled
    ReducedNumbers total_loss;  ///< scaled
    ReducedNumbers squared_norms;
    bool updated = false;  ///< on trial, as if the gradient were fine
  };

  /// Of what each rank has of the global batch's loss.
  ReducedNumbers sum_over_batch(double value);
  void open(const StepReport& report, double loss);
  /// Waits for what the ranks' numbers come to.
  void complete(OpenStep& step);
  /// What the gradients are to be multiplied with, beside the loss scale; nothing if they are not
  /// finite.
  std::optional<double> clip_factor(const StepReport& report) const;
  /// Whether the open step was right to update; settles it then.
  bool stands(const Settled& settled);
  /// The loss scale of the next step, as far as is known.
  double expected_loss_scale() const;
  /// Clips and updates, or skips the step; `loss` is this rank's.
  void apply(StepReport& report, double loss);
  /// Where numbers that are not finite came from, for people; `loss` is this rank's. Collective.
  std::string source_of_non_finite(double loss) const;
  RankSlice rank_slice() const;

  Recipe recipe_;
  Mesh& mesh_;
  const Dataset& dataset_;
  DType compute_;
  TensorParallel tp_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<TrainingPipeline> pipeline_;
  std::unique_ptr<Zero> zero_;
  std::unique_ptr<Optimizer> optimizer_;
  LrSchedule lr_schedule_;
  LossScaler loss_scaler_;
  std::unique_ptr<BatchLoader> loader_;
  std::int64_t step_ = 0;
  std::optional<OpenStep> open_;
  bool trusts_gradients_;  ///< the last ones were finite and not clipped, or would never be
};

}  // namespace boostr
