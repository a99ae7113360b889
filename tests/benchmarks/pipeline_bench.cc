// The runner against the simulator: stages that sleep for their times, with the real runner, graph
// and messages between processes.
//   mpirun -np 8 pipeline_bench [T_F,T_B,T_W in ms] [--kind KIND] [--json FILE]
// Prints the bubble rate of every schedule, as simulated and as measured (the median step); then what
// a step takes where every step waits for the gradient norm before it updates, and where the norm
// arrives during the next one's warm-up (optimizer.post_validation). Stages that sleep need next to
// nothing of a core, but need it at once: a row during which other guests of the host took the cores
// away is measured twice, and the share of their time that was taken is printed.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
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
#include "tests/benchmarks/quantile.h"

namespace boostr::benchmarks {
namespace {

constexpr int steps = 7;
constexpr std::int64_t stream_numel = 1024;
constexpr double disturbed = 0.03;  ///< of the cores' time

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
  /// A sleep ends a tenth of a millisecond late and more; the last of it is spent awake.
  static void sleep(double milliseconds) {
    using Milliseconds = std::chrono::duration<double, std::milli>;
    const auto end = std::chrono::steady_clock::now() + Milliseconds(milliseconds);
    std::this_thread::sleep_until(end - Milliseconds(0.5));
    while (std::chrono::steady_clock::now() < end) {
    }
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
  double stolen = 0;                 ///< of the cores' time meanwhile
};

/// The seconds that other guests of the host have taken from this machine's cores.
double stolen_seconds() {
  std::ifstream stat("/proc/stat");
  std::string label;
  double ticks = 0;
  stat >> label;
  for (int field = 0; field < 8; ++field)
    stat >> ticks;  // user nice system idle iowait irq softirq steal
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// Milliseconds of the median of steps that follow each other at once.
double step_time(Communicator& world, PipelineRunner& runner, const Schedule& schedule,
                 SleepingChunks& chunks, bool post_validates) {
  const std::vector<std::size_t> filled = warm_up(schedule);
  std::optional<ReducedNumbers> norm;
  const auto wait = [&] {
    if (norm) norm->wait();
    norm.reset();
    return true;
  };
  std::vector<double> ends;
  for (int step = 0; step <= steps; ++step) {
    runner.run(schedule, chunks, post_validates ? PipelineGate{filled, wait} : PipelineGate());
    norm.emplace(world, std::vector<double>(1, 1.0));
    if (!post_validates) wait();
    ends.push_back(1e3 * runner.now());
  }
  wait();
  ends = ReducedNumbers(world, ends, ReduceOp::max).wait();
  std::vector<double> times;
  std::ranges::transform(ends.begin() + 1, ends.end(), ends.begin(), ends.end() - 1,
                         std::back_inserter(times), std::minus());
  return median(times);
}

Row measure(Communicator& world, std::string_view kind, const std::vector<StageCosts>& costs,
            const Schedule& schedule) {
  PipelineRunner runner(world, {Shape{stream_numel}, DType::f32});
  SleepingChunks chunks(schedule, world.rank(), costs);
  const double begin = runner.now(), stolen = stolen_seconds();
  std::vector<double> rates;
  for (int step = 0; step < steps; ++step) {
    world.barrier();
    runner.run(schedule, chunks);
    rates.push_back(bubble_rate(runner.gather_timeline()));
  }
  const Simulation simulation = simulate(schedule, costs);
  Row row{.kind = kind,
          .shape = schedule.shape,
          .simulated = simulation.bubble_rate,
          .measured = median(rates),
          .waiting = step_time(world, runner, schedule, chunks, false),
          .post_validated = step_time(world, runner, schedule, chunks, true),
          .makespan = simulation.makespan,
          .busiest = longest_span(simulation.timeline)};
  row.stolen =
      (stolen_seconds() - stolen) / (std::thread::hardware_concurrency() * (runner.now() - begin));
  row.stolen = ReducedNumbers(world, {row.stolen}, ReduceOp::max).wait().front();
  return row;
}

/// The less disturbed of two, where one was.
Row measure(Communicator& world, const StageCosts& stage, const ScheduleKind& kind,
            int microbatches) {
  const PipelineShape shape{world.size(), microbatches, kind.least_chunks};
  const std::vector<StageCosts> costs = even_costs(stage, shape);
  const Schedule schedule =
      make_schedule(kind.name, {.shape = shape, .costs = costs, .memory_limit = 2});
  Row row = measure(world, kind.name, costs, schedule);
  if (row.stolen > disturbed) {
    const Row again = measure(world, kind.name, costs, schedule);
    if (again.stolen < row.stolen) row = again;
  }
  return row;
}

std::string json_of(const std::vector<Row>& rows) {
  std::string json;
  for (const Row& row : rows)
    json += text(json.empty() ? "" : ",\n", R"({"kind": ")", row.kind, R"(", "stages": )",
                 row.shape.stages, R"(, "microbatches": )", row.shape.microbatches,
                 R"(, "chunks": )", row.shape.chunks, R"(, "simulated": )", row.simulated,
                 R"(, "measured": )", row.measured, R"(, "makespan": )", row.makespan,
                 R"(, "busiest": )", row.busiest, R"(, "waiting": )", row.waiting,
                 R"(, "post_validated": )", row.post_validated, R"(, "stolen": )", row.stolen, "}");
  return text("{\"rows\": [\n", json, "\n]}\n");
}

void print(const Row& row) {
  std::printf("%-18s %7d %7d %13d %10.4f %10.4f %+11.4f %10.1f %10.1f %14.1f %10.1f %7.2f%%\n",
              row.kind.data(), row.shape.stages, row.shape.chunks, row.shape.microbatches,
              row.simulated, row.measured, row.measured - row.simulated, row.makespan, row.waiting,
              row.busiest, row.post_validated, 100 * row.stolen);
  std::fflush(stdout);
}

/// Of all kinds, or of one.
void run(Communicator& world, const StageCosts& stage, const std::string& only,
         const std::string& json) {
  if (world.rank() == 0)
    std::printf("%-18s %7s %7s %13s %10s %10s %11s %10s %10s %14s %10s %8s\n", "schedule", "stages",
                "chunks", "microbatches", "simulated", "measured", "difference", "makespan",
                "waiting", "busiest rank", "post-val.", "stolen");
  std::vector<Row> rows;
  for (const ScheduleKind& kind : schedule_kinds()) {
    if (!only.empty() && kind.name != only) continue;
    for (const int microbatches : {world.size(), 3 * world.size()}) {
      rows.push_back(measure(world, stage, kind, microbatches));
      if (world.rank() == 0) print(rows.back());
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
