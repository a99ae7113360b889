#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "trainer/checkpoint/checkpoint_reader.h"
#include "trainer/checkpoint/run_lock.h"
#include "trainer/checkpointing.h"
#include "trainer/collective_timeout.h"
#include "trainer/reporter.h"
#include "trainer/run.h"
#include "trainer/run_start.h"
#include "trainer/signals.h"
#include "trainer/trainer.h"

namespace boostr {

/// One run from its opening to its end: what run_training does, in pieces. Collective.
class TrainingRun {
 public:
  TrainingRun(const Recipe& recipe, Communicator& world, const RunOptions& options);
  ExitCode train();

 private:
  using Clock = std::chrono::steady_clock;

  /// What all ranks agreed on.
  struct Wishes {
    bool stop = false;
    bool save = false;
  };

  /// Loads the chosen checkpoint, if `recipe` (as the user wrote it) may continue from it.
  void resume(const Recipe& recipe);
  void start_reporting();
  void announce(double peak_flops);
  /// Notes whether any rank got a signal, or the time is up.
  void agree();
  void one_step();
  /// Reports a step and asks for the ranks' wishes.
  void settled(const StepReport& report);
  void settle();
  /// Saves and validates where the recipe wants it after this step.
  void between_steps();
  void validate();
  void save();
  ExitCode stop_early();
  void end();
  bool finished() const { return trainer_->steps_done() >= recipe_.training.steps; }

  Clock::time_point started_ = Clock::now();
  SignalHandlers signal_handlers_;
  Communicator& world_;
  RunOptions options_;
  TrainingSetup setup_;
  const Recipe& recipe_;  ///< of setup_
  CollectiveTimeout timeout_;
  std::unique_ptr<RunLock> lock_;  ///< rank 0 only
  ResumeChoice choice_;
  std::vector<std::string> notes_;  ///< what the resume has to tell
  std::unique_ptr<Trainer> trainer_;
  std::unique_ptr<Reporter> reporter_;
  std::unique_ptr<Checkpointing> checkpointing_;
  double unigram_entropy_ = 0;
  Wishes wishes_;
  std::int64_t saved_step_ = 0;  ///< the last step whose save was begun or loaded
  std::int64_t steps_of_this_process_ = 0;
  std::int64_t validated_step_ = 0;  ///< the last step that was validated
};

}  // namespace boostr
