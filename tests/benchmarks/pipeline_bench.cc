// The runner against the simulator: stages that sleep for their times, with the real runner, graph
// and messages between processes.
//   mpirun -np 8 pipeline_bench [T_F,T_B,T_W in ms] [--kind KIND] [--json FILE]
// Prints the bubble rate of every schedule, as simulated and as measured (the median step); then what
// a step takes where every step waits for the gradient norm before it updates, and where the norm
// arrives during the next one's warm-up (optimizer.post_validation).
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "ops/autograd.h"
#include "ops/copy.h"
#include "ops/parameter.h"
#include "parallel/comm/mpi.h"
#include "parallel/comm/reduced_numbers.h"
#include "parallel/pipeline/kinds.h"
#include "parallel/pipeline/runner.h"
#include "parallel/pipeline/simulate.h"
#include "parallel/pipeline/warm_up.h"

namespace boostr::benchmarks {
namespace {

constexpr int steps = 5;
constexpr std::int64_t stream_numel = 1024;

/// Chunks whose passes do nothing but take their time.
class SleepingChunks final : public PipelineChunks {
 public:
  SleepingChunks(const Schedule& schedule, int rank, const std::vector<StageCosts>& costs)
      : schedule_(schedule), rank_(rank), costs_(costs) {
    for (int i = 0; i < schedule.shape.chunks; ++i)
      weights_.emplace_back(Shape{1}, DType::f32, Initial{});
    for (Parameter& weight : weights_) fill(weight.value(), 0);
  }

  Tensor forward(int chunk, int /*microbatch*/, const Tensor& input) override {
    const int stage = schedule_.virtual_stage(rank_, chunk);
    const StageCosts& costs = costs_[static_cast<std::size_t>(stage)];
    sleep(costs.forward);
    const bool last = stage + 1 == schedule_.shape.virtual_stages();
    const Tensor output = Tensor::zeros({last ? 1 : stream_numel}, DType::f32);
    const Tensor source =
        input.defined() ? input : input_leaf(Tensor::zeros({stream_numel}, DType::f32));
    return record("sleep", output,
                  {Edge(source,
                        [&costs](const Tensor& /*dy*/) {
                          sleep(costs.backward_input);
                          return Tensor::zeros({stream_numel}, DType::f32);
                        }),
                   Edge(weights_[static_cast<std::size_t>(chunk)],
                        [&costs](const Tensor& /*dy*/, const Tensor& grad, bool /*accumulate*/) {
                          sleep(costs.backward_weight);
                          fill(grad, 0);
                        })});
  }
  void expect_weight_gradients(int /*chunk*/, bool /*last*/) override {}

 private:
  static void sleep(double milliseconds) {
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(milliseconds));
  }

  const Schedule& schedule_;
  int rank_;
  const std::vector<StageCosts>& costs_;
  std::vector<Parameter> weights_;
};

struct Row {
  std::string_view kind;
  PipelineShape shape;
  double simulated = 0, measured = 0;
  /// Milliseconds of a step among many: with the norm before the update, and after it.
  double waiting = 0, post_validated = 0;
  double makespan = 0, busiest = 0;  ///< what the simulator says of them
};

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + std::ptrdiff_t(values.size() / 2));
  return values[values.size() / 2];
}

/// Mean milliseconds of steps that follow each other at once.
double step_time(Communicator& world, PipelineRunner& runner, const Schedule& schedule,
                 SleepingChunks& chunks, bool post_validates) {
  const std::vector<std::size_t> filled = warm_up(schedule);
  std::optional<ReducedNumbers> norm;
  const auto wait = [&] {
    if (norm) norm->wait();
    norm.reset();
    return true;
  };
  const auto step = [&] {
    runner.run(schedule, chunks, post_validates ? PipelineGate{filled, wait} : PipelineGate());
    norm.emplace(world, std::vector<double>(1, 1.0));
    if (!post_validates) wait();
  };
  step();
  world.barrier();
  const double begin = runner.now();
  for (int i = 0; i < steps; ++i) step();
  wait();
  world.barrier();
  return 1e3 * (runner.now() - begin) / steps;
}

/// Of the kind in the shape; nothing if they do not fit.
std::vector<Row> measure(Communicator& world, const StageCosts& stage, const ScheduleKind& kind,
                         int microbatches) {
  const PipelineShape shape{world.size(), microbatches, kind.least_chunks};
  const std::vector<StageCosts> costs = even_costs(stage, shape);
  const Schedule schedule =
      make_schedule(kind.name, {.shape = shape, .costs = costs, .memory_limit = 2});
  PipelineRunner runner(world, {Shape{stream_numel}, DType::f32});
  SleepingChunks chunks(schedule, world.rank(), costs);
  std::vector<double> rates;
  for (int step = 0; step < steps; ++step) {
    world.barrier();
    runner.run(schedule, chunks);
    rates.push_back(bubble_rate(runner.gather_timeline()));
  }
  const Simulation simulation = simulate(schedule, costs);
  return {{kind.name, shape, simulation.bubble_rate, median(rates),
           step_time(world, runner, schedule, chunks, false),
           step_time(world, runner, schedule, chunks, true), simulation.makespan,
           longest_span(simulation.timeline)}};
}

std::string json_of(const std::vector<Row>& rows) {
  std::string json;
  for (const Row& row : rows)
    json +=
        text(json.empty() ? "[\n" : ",\n", R"({"kind": ")", row.kind, R"(", "stages": )",
             row.shape.stages, R"(, "microbatches": )", row.shape.microbatches, R"(, "chunks": )",
             row.shape.chunks, R"(, "simulated": )", row.simulated, R"(, "measured": )",
             row.measured, R"(, "makespan": )", row.makespan, R"(, "busiest": )", row.busiest,
             R"(, "waiting": )", row.waiting, R"(, "post_validated": )", row.post_validated, "}");
  return json + "\n]\n";
}

/// Of all kinds, or of one.
void run(Communicator& world, const StageCosts& stage, const std::string& only,
         const std::string& json) {
  if (world.rank() == 0)
    std::printf("%-18s %7s %7s %13s %10s %10s %11s %10s %10s %14s %10s\n", "schedule", "stages",
                "chunks", "microbatches", "simulated", "measured", "difference", "makespan",
                "waiting", "busiest rank", "post-val.");
  std::vector<Row> rows;
  for (const ScheduleKind& kind : schedule_kinds()) {
    if (!only.empty() && kind.name != only) continue;
    for (const int microbatches : {world.size(), 3 * world.size()})
      for (const Row& row : measure(world, stage, kind, microbatches)) {
        rows.push_back(row);
        if (world.rank() == 0)
          std::printf("%-18s %7d %7d %13d %10.4f %10.4f %+11.4f %10.1f %10.1f %14.1f %10.1f\n",
                      row.kind.data(), row.shape.stages, row.shape.chunks, microbatches,
                      row.simulated, row.measured, row.measured - row.simulated, row.makespan,
                      row.waiting, row.busiest, row.post_validated);
      }
  }
  if (world.rank() == 0 && !json.empty()) std::ofstream(json) << json_of(rows);
}

}  // namespace
}  // namespace boostr::benchmarks

int main(int argc, char** argv) {
  using namespace boostr;
  StageCosts stage{.forward = 20, .backward_input = 20, .backward_weight = 12};
  std::string kind, json;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if ((word == "--json" || word == "--kind") && i + 1 < argc) {
      (word == "--json" ? json : kind) = argv[++i];
    } else if (std::sscanf(argv[i], "%lf,%lf,%lf", &stage.forward, &stage.backward_input,
                           &stage.backward_weight) != 3) {
      std::fprintf(stderr,
                   "pipeline_bench: expected T_F,T_B,T_W in ms, --kind KIND or --json FILE\n");
      return 2;
    }
  }
  try {
    const auto world = mpi_world();
    benchmarks::run(*world, stage, kind, json);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "pipeline_bench: %s\n", error.what());
    return 1;
  }
}
