#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "trainer/checkpoint/checkpoint_writer.h"
#include "trainer/recipe.h"
#include "trainer/trainer.h"

namespace boostr {

/// When a run saves: every checkpoint.interval steps, at the last step, and on request; in the
/// background or at once. All ranks make the same calls.
class Checkpointing {
 public:
  /// Called on every rank when a checkpoint has become durable.
  using OnCommit = std::function<void(const CommitReport&)>;

  Checkpointing(const Recipe& recipe, Communicator& world, const std::string& code_version,
                OnCommit on_commit);

  bool enabled() const { return writer_ != nullptr; }
  /// Takes the memory that saves in the background copy the state to, so that the first one blocks
  /// no longer than the others, and want of room shows at the start of a run.
  void reserve(const Trainer& trainer);
  /// Begins a save of the trainer's state after step `trainer.steps_done()`; a save still under way
  /// is finished first.
  void begin(Trainer& trainer, const std::string& resolved_recipe);
  /// Between steps: makes the save under way a checkpoint once every rank has written its part.
  /// Throws on every rank if one failed.
  void poll();
  /// Waits for the save under way, if any.
  void finish();
  /// The step of the last committed checkpoint; 0: none in this process.
  std::int64_t last_step() const { return last_step_; }

 private:
  void commit();

  Communicator& world_;
  bool background_;
  OnCommit on_commit_;
  std::unique_ptr<CheckpointWriter> writer_;
  bool pending_ = false;
  std::int64_t last_step_ = 0;
};

}  // namespace boostr
