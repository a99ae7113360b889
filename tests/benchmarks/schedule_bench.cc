// Training under one pipeline schedule beside another, step by step in the same processes on the
// same weights: what schedules differ by, without what one process differs from another by.
//   mpirun -np 2 schedule_bench [--rounds N] [--json FILE]
// A LLaMA of 34 M parameters, 8 microbatches of 128 tokens, f32, a thread per rank. Every round
// makes a step under each schedule, every other round in the opposite order. Prints of each: ms of
// the median step, how many times 1f1b's steps per second it makes (median and quartiles of the
// rounds), what the simulator promises for the pipelines alone, from the mean times of the passes in
// zb_h1's steps, and bubble rates.
#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ops/execution.h"
#include "parallel/comm/mpi.h"
#include "parallel/pipeline/simulate.h"
#include "tests/benchmarks/quantile.h"
#include "trainer/agreement.h"
#include "trainer/optimizer.h"
#include "trainer/trainer.h"
#include "trainer/training_pipeline.h"

namespace boostr::benchmarks {
namespace {

/// Of one chunk each, so that all cut the model alike.
constexpr std::array<std::string_view, 4> kinds = {"1f1b", "gpipe", "zb_h1", "zb_h2"};
constexpr std::size_t reference = 0, timed = 2;  ///< among them

Recipe recipe_for(int stages, std::string_view kind) {
  Recipe recipe;
  LlamaConfig& llama = recipe.model.llama;
  llama.vocab_size = 8192;
  llama.hidden_size = 512;
  llama.num_hidden_layers = 8;
  llama.num_attention_heads = 8;
  llama.intermediate_size = 1408;
  recipe.training.seq_len = 128;
  recipe.training.global_batch_size = 8;
  recipe.precision.compute = "f32";
  recipe.parallelism.pipeline_parallel_degree = stages;
  recipe.parallelism.pipeline_parallel_schedule = kind;
  return recipe;
}

Batch batch_for(const Recipe& recipe) {
  const std::int64_t rows = recipe.training.global_batch_size, length = recipe.training.seq_len;
  Batch batch;
  batch.batch = rows;
  batch.seq_len = length;
  batch.num_targets = rows * length;
  std::uint32_t random = 1;
  for (std::int64_t i = 0; i < rows * length; ++i) {
    random = random * 1664525U + 1013904223U;  // Numerical Recipes' generator
    batch.input_ids.push_back(static_cast<std::int32_t>((random >> 8) % 8192));
  }
  batch.targets = batch.input_ids;
  return batch;
}

/// What a rank trains, under any of the kinds.
class Rank {
 public:
  explicit Rank(Communicator& world)
      : recipe_(recipe_for(world.size(), kinds[0])),
        mesh_(world, {.pipeline = world.size(), .shard = 1}),
        tp_(mesh_.tp(), false),
        model_(build_model(recipe_.model, recipe_.training.seq_len, DType::f32, tp_)),
        batch_(batch_for(recipe_)) {
    for (const std::string_view kind : kinds)
      pipelines_.push_back(std::make_unique<TrainingPipeline>(recipe_for(world.size(), kind), mesh_,
                                                              *model_, DType::f32));
    zero_ = std::make_unique<Zero>(pipelines_.front()->share(),
                                   DataParallelGroups{mesh_.shard(), mesh_.replicate()},
                                   mesh_.model(), ZeroOptions{0, recipe_.parallelism.bucket_bytes});
    optimizer_ = std::make_unique<Optimizer>(recipe_.optimizer, *zero_);
    optimizer_->initialize(recipe_.training.seed);
  }

  /// Milliseconds of a step on the rank that takes longest.
  double step(std::size_t kind) {
    TrainingPipeline& pipeline = *pipelines_[kind];
    mesh_.world().barrier();
    const double begin = pipeline.runner().now();
    pipeline.share().zero_grads();
    pipeline.train(batch_, 1.0 / static_cast<double>(batch_.num_targets), *zero_);
    optimizer_->step(++steps_, 1.0, 1.0 / std::max(1.0, optimizer_->grad_norm(1.0)));
    return all_ranks_max(mesh_.world(), 1e3 * (pipeline.runner().now() - begin));
  }

  const Schedule& schedule(std::size_t kind) const { return pipelines_[kind]->layout().schedule; }
  /// Of the kind's last step. Collective.
  PipelineTimeline timeline(std::size_t kind) const {
    return pipelines_[kind]->runner().gather_timeline();
  }

 private:
  Recipe recipe_;
  Mesh mesh_;
  TensorParallel tp_;
  std::unique_ptr<Model> model_;
  Batch batch_;
  std::vector<std::unique_ptr<TrainingPipeline>> pipelines_;
  std::unique_ptr<Zero> zero_;
  std::unique_ptr<Optimizer> optimizer_;
  std::int64_t steps_ = 0;
};

/// What the rounds saw of one kind.
struct Seen {
  std::vector<double> milliseconds, times_reference, promised, bubble_rates;
};

/// A step under each kind, in the order of the kinds or against it.
void round(Rank& rank, bool backwards, std::vector<Seen>& seen) {
  std::vector<double> milliseconds(kinds.size());
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const std::size_t kind = backwards ? kinds.size() - 1 - i : i;
    milliseconds[kind] = rank.step(kind);
  }
  const std::vector<StageCosts> costs = mean_costs(rank.schedule(timed), rank.timeline(timed));
  const double makespan = simulate(rank.schedule(reference), costs).makespan;
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    seen[kind].milliseconds.push_back(milliseconds[kind]);
    seen[kind].times_reference.push_back(milliseconds[reference] / milliseconds[kind]);
    seen[kind].promised.push_back(makespan / simulate(rank.schedule(kind), costs).makespan);
    seen[kind].bubble_rates.push_back(bubble_rate(rank.timeline(kind)));
  }
}

std::string json_of(const std::vector<Seen>& seen, int stages) {
  std::string json;
  for (std::size_t kind = 0; kind < kinds.size(); ++kind)
    json += text(json.empty() ? "" : ",\n", R"({"kind": ")", kinds[kind], R"(", "stages": )",
                 stages, R"(, "rounds": )", seen[kind].milliseconds.size(), R"(, "milliseconds": )",
                 quantile(seen[kind].milliseconds, 0.5), R"(, "times_1f1b": )",
                 quantile(seen[kind].times_reference, 0.5), R"(, "lower": )",
                 quantile(seen[kind].times_reference, 0.25), R"(, "upper": )",
                 quantile(seen[kind].times_reference, 0.75), R"(, "promised": )",
                 quantile(seen[kind].promised, 0.5), R"(, "bubble_rate": )",
                 quantile(seen[kind].bubble_rates, 0.5), "}");
  return text("{\"rows\": [\n", json, "\n]}\n");
}

void print(const std::vector<Seen>& seen) {
  std::printf("%-8s %10s %12s %18s %10s %12s\n", "schedule", "ms/step", "times 1f1b", "quartiles",
              "promised", "bubble rate");
  for (std::size_t kind = 0; kind < kinds.size(); ++kind)
    std::printf("%-8s %10.1f %12.3f %9.3f %8.3f %10.3f %12.3f\n", kinds[kind].data(),
                quantile(seen[kind].milliseconds, 0.5), quantile(seen[kind].times_reference, 0.5),
                quantile(seen[kind].times_reference, 0.25),
                quantile(seen[kind].times_reference, 0.75), quantile(seen[kind].promised, 0.5),
                quantile(seen[kind].bubble_rates, 0.5));
}

void run(Communicator& world, int rounds, const std::string& json) {
  set_num_threads(1);
  Rank rank(world);
  std::vector<Seen> seen(kinds.size());
  std::vector<Seen> warming_up(kinds.size());
  round(rank, false, warming_up);
  for (int i = 0; i < rounds; ++i) round(rank, i % 2 == 1, seen);
  if (world.rank() != 0) return;
  print(seen);
  if (!json.empty()) std::ofstream(json) << json_of(seen, world.size());
}

}  // namespace
}  // namespace boostr::benchmarks

int main(int argc, char** argv) {
  using namespace boostr;
  int rounds = 60;
  std::string json;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool known = (word == "--rounds" || word == "--json") && i + 1 < argc;
    if (!known || (word == "--rounds" && std::sscanf(argv[i + 1], "%d", &rounds) != 1)) {
      std::fprintf(stderr, "schedule_bench: expected --rounds N or --json FILE\n");
      return 2;
    }
    if (word == "--json") json = argv[i + 1];
    ++i;
  }
  try {
    const auto world = mpi_world();
    benchmarks::run(*world, rounds, json);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "schedule_bench: %s\n", error.what());
    return 1;
  }
}
