#include "trainer/profile/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/runtime/profiler.h"
#include "ops/execution.h"
#include "ops/probe.h"
#include "parallel/comm/profiled_communicator.h"
#include "parallel/pipeline/timeline.h"
#include "trainer/agreement.h"
#include "trainer/metrics/console.h"
#include "trainer/output_file.h"
#include "trainer/profile/chrome_trace.h"
#include "trainer/profile/step_profile.h"
#include "trainer/run_start.h"
#include "trainer/trainer.h"

namespace boostr {
namespace {

/// All ranks at once, so that they load the machine as they do in a step.
MachinePeaks measure_peaks(const Recipe& recipe, Communicator& world) {
  MachinePeaks peaks;
  const DType compute = dtype_named(recipe.precision.compute);
  world.barrier();
  peaks.flops[accumulator_of(compute)] = measured_peak_flops(accumulator_of(compute));
  peaks.flops[compute] = peak_flops(recipe, world);
  world.barrier();
  peaks.bandwidth = measured_bandwidth();
  return peaks;
}

void forget(const StepReport& /*report*/) {}

/// Returns the tokens trained on, of all ranks.
std::int64_t one_step(Trainer& trainer, Timeline& timeline) {
  const TimelineScope step(timeline, {.kind = TimelineEvent::Kind::step, .name = "step"});
  const Batch batch = [&] {
    const TimelineScope data(timeline, {.kind = TimelineEvent::Kind::data, .name = "next batch"});
    return trainer.next_batch();
  }();
  return trainer.advance(batch, forget);
}

/// Appends the last step.
void add_passes(PassTrack& track, const Trainer& trainer, const Timeline& timeline) {
  const PipelineRunner& runner = trainer.pipeline().runner();
  const double later = double(timeline.now()) * 1e-9 - runner.now();
  track.chunks = trainer.pipeline().layout().schedule.shape.chunks;
  std::vector<TimedPass>& passes = track.steps.emplace_back();
  for (const TimedPass& timed : runner.timeline())
    passes.push_back({timed.pass, timed.begin + later, timed.end + later});
}

/// Leaves the measured steps in `timeline`, which begins at the same moment on all ranks, and their
/// passes in `track`; returns their tokens.
std::int64_t record(Trainer& trainer, Timeline& timeline, PassTrack& track, Communicator& world,
                    const ProfileOptions& options) {
  const KernelProfiler profiler(timeline);
  timeline.restart(0);
  for (std::int64_t i = 0; i < options.warm_up_steps; ++i) one_step(trainer, timeline);
  const auto warm_up_steps = std::size_t(std::max<std::int64_t>(options.warm_up_steps, 1));
  const std::size_t events_per_step = timeline.events().size() / warm_up_steps + 1;
  trainer.settle(forget);
  world.barrier();
  timeline.restart(events_per_step * std::size_t(options.steps));
  std::int64_t tokens = 0;
  for (std::int64_t i = 0; i < options.steps; ++i) {
    tokens += one_step(trainer, timeline);
    add_passes(track, trainer, timeline);
  }
  trainer.settle(forget);
  return tokens;
}

/// Every rank's bytes on rank 0, which alone needs room for them.
std::vector<std::string> gather_on_rank_0(Communicator& world, std::string mine) {
  auto length = static_cast<std::int64_t>(mine.size());
  const auto bytes = [](std::string& text) {
    return Out{text.data(), DType::u8, Shape{static_cast<std::int64_t>(text.size())}};
  };
  if (world.rank() != 0) {
    world.send({&length, DType::i64, {1}}, 0).wait();
    world.send(bytes(mine), 0).wait();
    return {};
  }
  std::vector<std::string> all{std::move(mine)};
  for (int rank = 1; rank < world.size(); ++rank) {
    world.recv({&length, DType::i64, {1}}, rank).wait();
    all.emplace_back(static_cast<std::size_t>(length), ' ');
    world.recv(bytes(all.back()), rank).wait();
  }
  return all;
}

/// What stands above the table.
std::string headline(const Recipe& recipe, const StepProfile& profile, const MachinePeaks& peaks,
                     int ranks) {
  const TrainingSection& training = recipe.training;
  std::string words = fmt::format(
      "mean of {} steps of {} x {} tokens | {} rank{} x {} thread{}, {}{}\npeaks of a rank:",
      profile.steps, training.global_batch_size, training.seq_len, ranks, ranks == 1 ? "" : "s",
      num_threads(), num_threads() == 1 ? "" : "s", instruction_set(),
      ranks > 1 ? " | times of rank 0" : "");
  for (const auto& [dtype, flops] : peaks.flops)
    words += fmt::format(" {} {:.1f} GFLOP/s,", name(dtype), flops * 1e-9);
  return words + fmt::format(" memory {:.1f} GB/s\n", peaks.bandwidth * 1e-9);
}

/// "run.svg" -> "run-planned.svg"
std::string planned_file(const std::string& file) {
  const std::size_t dot = std::min(file.rfind('.'), file.size());
  return file.substr(0, dot) + "-planned" + file.substr(dot);
}

/// The last step's pipeline for people, as it ran and as planned; writes their pictures. Nothing of
/// one stage. Collective.
std::string show_pipeline(const Trainer& trainer, Communicator& world, const std::string& file) {
  const Schedule& schedule = trainer.pipeline().layout().schedule;
  PipelineTimeline ran = trainer.pipeline().runner().gather_timeline();
  for (std::vector<TimedPass>& passes : ran)
    for (TimedPass& timed : passes) timed = {timed.pass, 1e3 * timed.begin, 1e3 * timed.end};
  const PipelineTimeline planned = simulate(schedule, mean_costs(schedule, ran)).timeline;
  const int chunks = schedule.shape.chunks;
  const auto title = [](const char* what, const PipelineTimeline& timeline) {
    return fmt::format("pipeline {}: bubble rate {:.3f}", what, bubble_rate(timeline));
  };
  const std::string as_ran = title("as it ran", ran);
  const std::string as_planned = title("as planned from the mean times of its passes", planned);
  if (world.rank() == 0 && !file.empty()) {
    const auto write = [&](const std::string& path, const std::string& words,
                           const PipelineTimeline& timeline) {
      write_output_file(path, timeline_svg(schedule, timeline, words), "--timeline");
    };
    write(file, as_ran, ran);
    write(planned_file(file), as_planned, planned);
  }
  if (schedule.shape.stages == 1) return {};
  constexpr int columns = 100;
  return fmt::format("\n{}\n{}\n{}\n{}", as_ran, timeline_text(ran, columns, chunks), as_planned,
                     timeline_text(planned, columns, chunks));
}

}  // namespace

std::string profile_training(const Recipe& recipe, Communicator& world,
                             const ProfileOptions& options) {
  // Files that cannot be written stop the profile before it begins.
  if (world.rank() == 0)
    for (const auto& [file, option] :
         {std::pair{options.trace, "--trace"}, std::pair{options.timeline, "--timeline"}})
      if (!file.empty()) write_output_file(file, "", option, std::ios::app);
  Timeline timeline;
  ProfiledCommunicator profiled_world(world, timeline);
  TrainingSetup setup(recipe, profiled_world);
  const Recipe& whole = setup.recipe;
  const MachinePeaks peaks = measure_peaks(whole, world);
  Trainer trainer(whole, setup.mesh, setup.dataset);
  PassTrack passes;
  const std::int64_t tokens = record(trainer, timeline, passes, world, options);

  const StepProfile profile = summarize(timeline.events(), options.by_shape);
  const double peak = all_ranks_sum(world, peaks.flops.at(dtype_named(whole.precision.compute)));
  const double speed = double(tokens) / profile.seconds;
  const double flops_per_token = trainer.flops_per_sequence() / double(whole.training.seq_len);
  if (!options.trace.empty()) {
    const auto events =
        gather_on_rank_0(world, trace_events(timeline.events(), world.rank(), passes));
    if (world.rank() == 0) write_output_file(options.trace, chrome_trace(events), "--trace");
  }
  const std::string pipeline = show_pipeline(trainer, world, options.timeline);
  if (world.rank() != 0) return {};
  return headline(whole, profile, peaks, world.size()) +
         fmt::format("{:.1f} ms a step | {} tok/s | MFU {:.1f} %\n\n",
                     profile.seconds / double(profile.steps) * 1e3, grouped(std::llround(speed)),
                     flops_per_token * speed / peak * 100) +
         profile_table(profile, peaks) + pipeline;
}

}  // namespace boostr
