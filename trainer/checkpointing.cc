#include "trainer/checkpointing.h"

#include "trainer/agreement.h"

namespace boostr {

Checkpointing::Checkpointing(const Recipe& recipe, Communicator& world,
                             const std::string& code_version, OnCommit on_commit)
    : world_(world), background_(recipe.checkpoint.async), on_commit_(std::move(on_commit)) {
  if (recipe.checkpoint.interval <= 0) return;
  CheckpointOptions options;
  options.folder = recipe.output + "/checkpoints";
  options.keep_latest_k = recipe.checkpoint.keep_latest_k;
  options.code_version = code_version;
  writer_ = std::make_unique<CheckpointWriter>(world, std::move(options));
}

void Checkpointing::reserve(const Trainer& trainer) {
  if (enabled() && background_) writer_->reserve(trainer.checkpoint_tensors());
}

void Checkpointing::begin(Trainer& trainer, const std::string& resolved_recipe) {
  finish();
  TrainingState state = trainer.training_state();
  state.recipe = resolved_recipe;
  writer_->begin(trainer.checkpoint_tensors(), state);
  pending_ = true;
  if (!background_) finish();
}

void Checkpointing::poll() {
  if (!pending_) return;
  const double done = all_ranks_sum(world_, writer_->done() ? 1.0 : 0.0);
  if (static_cast<int>(done) == world_.size()) commit();
}

void Checkpointing::finish() {
  if (pending_) commit();
}

void Checkpointing::commit() {
  pending_ = false;
  const CommitReport report = writer_->commit();
  last_step_ = report.step;
  on_commit_(report);
}

}  // namespace boostr
