#include "launch/schedule_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ostream>

#include "kernels/runtime/error.h"
#include "parallel/pipeline/csv.h"
#include "parallel/pipeline/kinds.h"
#include "parallel/pipeline/timeline.h"
#include "trainer/output_file.h"

namespace boostr {
namespace {

StageCosts stage_costs(const std::vector<double>& times) {
  const bool usable = times.size() == 4 && std::ranges::all_of(times, [](double time) {
                        return std::isfinite(time) && time >= 0;
                      });
  require(usable && times[0] + times[1] + times[2] > 0, ExitCode::usage,
          "--times needs T_F,T_B,T_W,T_comm: four numbers that are not negative, of which one of "
          "the first three is not 0");
  return {times[0], times[1], times[2], times[3]};
}

/// A schedule from a file has its own shape, which options may only repeat.
Schedule read_schedule(const ScheduleOptions& options) {
  Schedule schedule = read_schedule_csv(options.kind);
  const auto check = [&](const char* option, int asked, int found) {
    require(asked == 0 || asked == found, ExitCode::usage, option, " ", asked, ", but '",
            options.kind, "' has ", found);
  };
  check("--stages", options.shape.stages, schedule.shape.stages);
  check("--microbatches", options.shape.microbatches, schedule.shape.microbatches);
  check("--chunks", options.shape.chunks, schedule.shape.chunks);
  return schedule;
}

Schedule schedule_of_chunks(const ScheduleOptions& options, const StageCosts& stage, int chunks) {
  PipelineShape shape = options.shape;
  shape.chunks = chunks;
  return make_schedule(options.kind,
                       {.shape = shape,
                        .costs = even_costs(stage, shape),
                        .memory_limit = options.memory_limit > 0 ? options.memory_limit : 1,
                        .weight_memory = options.weight_memory});
}

/// auto chooses between one chunk and two unless it is told; two never fit into less than 1f1b's
/// memory.
Schedule searched_schedule(const ScheduleOptions& options, const StageCosts& stage) {
  Schedule one = schedule_of_chunks(options, stage, 1);
  if (options.memory_limit > 0 && options.memory_limit < 1) return one;
  Schedule two = schedule_of_chunks(options, stage, 2);
  const auto rate = [&](const Schedule& schedule) {
    return simulate(schedule, even_costs(stage, schedule.shape)).bubble_rate;
  };
  return rate(two) < rate(one) ? two : one;
}

Schedule named_schedule(const ScheduleOptions& options, const StageCosts& stage) {
  const PipelineShape& shape = options.shape;
  const ScheduleKind& kind = schedule_kind(options.kind);
  require(shape.stages > 0 && shape.microbatches > 0, ExitCode::usage, "schedule ", options.kind,
          " needs --stages and --microbatches");
  if (kind.order == nullptr && shape.chunks == 0) return searched_schedule(options, stage);
  return schedule_of_chunks(options, stage, shape.chunks > 0 ? shape.chunks : kind.least_chunks);
}

void check_memory(const ScheduleOptions& options, const PipelineShape& shape,
                  const Simulation& simulation) {
  const double needed = std::ranges::max(simulation.peak_activations) / one_f_one_b_peak(shape);
  require(options.memory_limit == 0 || needed <= options.memory_limit + 1e-9, ExitCode::usage,
          "schedule ", options.kind, " needs ", needed,
          " times the activation memory of 1f1b, more than --memory-limit ", options.memory_limit);
}

std::string json(const ScheduleOptions& options, const PipelineShape& shape,
                 const Simulation& simulation) {
  std::string kind;
  for (const char c : options.kind) kind += c == '"' || c == '\\' ? text('\\', c) : text(c);
  return fmt::format(
      R"({{"kind": "{}", "stages": {}, "microbatches": {}, "chunks": {}, "bubble_rate": {}, "makespan": {}, "peak_activation_memory": [{}]}})"
      "\n",
      kind, shape.stages, shape.microbatches, shape.chunks, simulation.bubble_rate,
      simulation.makespan, fmt::join(simulation.peak_activations, ", "));
}

std::string title(const ScheduleOptions& options, const PipelineShape& shape,
                  const Simulation& simulation) {
  const std::string chunks = shape.chunks > 1 ? fmt::format(", {} chunks each", shape.chunks) : "";
  return fmt::format("{}: {} stages{}, {} microbatches, bubble rate {:.4f}", options.kind,
                     shape.stages, chunks, shape.microbatches, simulation.bubble_rate);
}

std::string report(const ScheduleOptions& options, const PipelineShape& shape,
                   const Simulation& simulation) {
  return fmt::format(
             "{}\n"
             "makespan {:.6g} ms\n"
             "peak activations per stage, in microbatches of a whole stage: {:.6g}\n\n",
             title(options, shape, simulation), simulation.makespan,
             fmt::join(simulation.peak_activations, " ")) +
         timeline_text(simulation.timeline, options.width, shape.chunks);
}

}  // namespace

int schedule_command(const ScheduleOptions& options, std::ostream& out) {
  const StageCosts stage = stage_costs(options.times);
  const Schedule schedule =
      options.kind.ends_with(".csv") ? read_schedule(options) : named_schedule(options, stage);
  const Simulation simulation =
      simulate(schedule, even_costs(stage, schedule.shape), options.weight_memory);
  check_memory(options, schedule.shape, simulation);
  if (!options.csv.empty()) write_output_file(options.csv, schedule_csv(schedule), "--csv");
  if (!options.svg.empty())
    write_output_file(
        options.svg,
        timeline_svg(schedule, simulation.timeline, title(options, schedule.shape, simulation)),
        "--svg");
  out << (options.json ? json(options, schedule.shape, simulation)
                       : report(options, schedule.shape, simulation));
  return static_cast<int>(ExitCode::ok);
}

}  // namespace boostr
