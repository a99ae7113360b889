#include "trainer/training_run.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "trainer/agreement.h"
#include "trainer/checkpoint/byte_exchange.h"
#include "trainer/checkpoint/checkpoint_folder.h"
#include "trainer/checkpoint/file_ops.h"
#include "trainer/checkpoint/resume_rules.h"
#include "trainer/recipe_load.h"

namespace boostr {

TrainingRun::TrainingRun(const Recipe& recipe, Communicator& world, const RunOptions& options)
    : world_(world),
      options_(options),
      setup_(recipe, world),
      recipe_(setup_.recipe),
      timeout_(recipe.communication.timeout) {
  fail_together(world_, failure_of([&] {
                  if (world_.rank() == 0) lock_ = std::make_unique<RunLock>(recipe_.output);
                }));
  choice_ = choose_checkpoint(world_, recipe_.output, recipe_.checkpoint.resume);
  for (const SkippedCheckpoint& skipped : choice_.skipped)
    notes_.push_back(fmt::format("passed over {}: {}", skipped.folder.string(), skipped.reason));
  trainer_ = std::make_unique<Trainer>(recipe_, setup_.mesh, setup_.dataset);
  if (choice_.checkpoint) resume(recipe);
}

void TrainingRun::resume(const Recipe& recipe) {
  const CheckpointReader& checkpoint = *choice_.checkpoint;
  const Recipe saved =
      parse_recipe((checkpoint.folder() / "recipe.yaml").string(), checkpoint.state().recipe)
          .recipe;
  const std::vector<ResumeChange> changes = resume_changes(saved, recipe);
  require_resumable(changes);
  checkpoint.load(world_, trainer_->tensors_to_load());
  notes_.push_back(fmt::format("resumed from {} (verified)", checkpoint.folder().string()));
  for (const auto& [change, refusal] : changes)
    notes_.push_back("changed since: " + change.path + " " + values_of(change));
  for (const std::string& difference : trainer_->restore(checkpoint.state()))
    notes_.push_back("data: " + difference);
  saved_step_ = trainer_->steps_done();
}

ExitCode TrainingRun::train() {
  if (choice_.checkpoint && finished()) {
    if (world_.rank() == 0)
      fmt::print("{} has all {} steps: nothing to do; raise training.steps to go on\n",
                 choice_.checkpoint->folder().string(), recipe_.training.steps);
    return ExitCode::ok;
  }
  start_reporting();
  while (!finished()) {
    one_step();
    between_steps();
    if (wishes_.stop && !finished()) return stop_early();
  }
  end();
  return ExitCode::ok;
}

void TrainingRun::start_reporting() {
  unigram_entropy_ = setup_.dataset.unigram_entropy();
  const double peak = all_ranks_sum(world_, peak_flops(recipe_, world_));
  Reporter::Setup setup;
  setup.terminal = options_.terminal;
  setup.flops_per_token =
      trainer_->flops_per_sequence() / static_cast<double>(recipe_.training.seq_len);
  setup.peak_flops = peak;
  setup.unigram_entropy = unigram_entropy_;
  if (choice_.checkpoint) setup.resumed_step = trainer_->steps_done();
  fail_together(
      world_, failure_of([&] { reporter_ = std::make_unique<Reporter>(recipe_, world_, setup); }));
  checkpointing_ = std::make_unique<Checkpointing>(
      recipe_, world_, options_.version, [this](const CommitReport& report) {
        reporter_->event("checkpoint", report.step,
                         fmt::format(R"({{"bytes": {}}})", report.bytes));
        reporter_->say(fmt::format("saved {} ({})", report.folder.string(),
                                   binary_size(double(report.bytes))));
        for (const std::string& warning : report.warnings) reporter_->say("warning: " + warning);
      });
  checkpointing_->reserve(*trainer_);
  if (world_.rank() == 0) {
    if (checkpointing_->enabled())
      discard_later_checkpoints(FileOps(), recipe_.output + "/checkpoints", trainer_->steps_done());
    write_file_atomically(recipe_.output + "/recipe.yaml", options_.resolved_recipe, FileOps());
  }
  announce(peak);
}

void TrainingRun::announce(double peak_flops) {
  StartFacts facts;
  facts.ranks = world_.size();
  facts.mesh = setup_.mesh.describe();
  facts.parameters = trainer_->num_parameters();
  facts.flops_per_token =
      trainer_->flops_per_sequence() / static_cast<double>(recipe_.training.seq_len);
  facts.peak_flops = peak_flops;
  facts.unigram_entropy = unigram_entropy_;
  facts.version = options_.version;
  facts.resumed_step = choice_.checkpoint ? trainer_->steps_done() : 0;
  reporter_->event("start", trainer_->steps_done(), start_json(facts));
  for (const std::string& line : start_lines(facts, recipe_, setup_.dataset)) reporter_->say(line);
  for (const std::string& note : notes_) reporter_->say(note);
}

void TrainingRun::one_step() {
  reporter_->begin_step(trainer_->pipeline().runner().times());
  const Clock::time_point begin = Clock::now();
  world_.set_timeout(timeout_.in_step());
  trainer_->advance(trainer_->next_batch(), [this](const StepReport& report) { settled(report); });
  world_.set_timeout(timeout_.between_steps());
  timeout_.step_took(Clock::now() - begin);
}

void TrainingRun::settle() {
  trainer_->settle([this](const StepReport& report) { settled(report); });
}

void TrainingRun::settled(const StepReport& report) {
  const bool logged =
      report.step % recipe_.metrics.interval == 0 || report.step >= recipe_.training.steps;
  reporter_->end_step(report, trainer_->pipeline().runner().times(), logged);
  if (++steps_of_this_process_ == 2) reporter_->memory(report.step);
  agree();
}

void TrainingRun::agree() {
  const SignalRequests requests = signal_requests();
  const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  const bool time_is_up = recipe_.training.exit_after > 0 && seconds >= recipe_.training.exit_after;
  // One number carries both wishes: stops count 1, saves 2^20.
  constexpr double save_unit = 1 << 20;
  const double mine =
      (requests.stop != 0 || time_is_up ? 1.0 : 0.0) + (requests.save ? save_unit : 0.0);
  const double sum = all_ranks_sum(world_, mine);
  if (requests.save) clear_save_request();
  wishes_.stop = wishes_.stop || std::fmod(sum, save_unit) > 0;
  wishes_.save = wishes_.save || sum >= save_unit;
}

void TrainingRun::between_steps() {
  const std::int64_t step = trainer_->steps_done();
  const auto is_due = [&](std::int64_t interval) { return interval > 0 && step % interval == 0; };
  const bool save_is_due = is_due(recipe_.checkpoint.interval) || finished();
  const bool validation_is_due = is_due(recipe_.training.validation_interval);
  if (save_is_due || validation_is_due || wishes_.save || wishes_.stop) settle();
  if (checkpointing_->enabled()) {
    checkpointing_->poll();
    if (save_is_due || wishes_.save || wishes_.stop) save();
  }
  wishes_.save = false;
  if (validation_is_due && !wishes_.stop) validate();
}

void TrainingRun::save() {
  saved_step_ = trainer_->steps_done();
  checkpointing_->begin(*trainer_, options_.resolved_recipe);
}

void TrainingRun::validate() {
  if (setup_.dataset.num_validation_samples() == 0) return;
  validated_step_ = trainer_->steps_done();
  reporter_->validation(validated_step_, trainer_->validate());
}

ExitCode TrainingRun::stop_early() {
  const std::int64_t step = trainer_->steps_done();
  checkpointing_->finish();
  reporter_->draw_picture();
  reporter_->event("stopped", step, fmt::format(R"({{"saved": {}}})", checkpointing_->enabled()));
  reporter_->say(fmt::format("stopped at step {} on request; {}", step,
                             checkpointing_->enabled()
                                 ? "saved. Run the same command again to continue"
                                 : "nothing was saved, because checkpoint.interval is 0"));
  return ExitCode::preempted;
}

void TrainingRun::end() {
  if (validated_step_ < trainer_->steps_done()) validate();
  checkpointing_->finish();
  reporter_->draw_picture();
  reporter_->finish_bar();
  reporter_->summary(options_.resume_command, checkpointing_->last_step());
}

}  // namespace boostr
