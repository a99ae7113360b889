#include "trainer/plan/layout_bounds.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "models/build.h"
#include "parallel/comm/self.h"
#include "parallel/pipeline/simulate.h"
#include "trainer/plan/piece_time.h"
#include "trainer/trainer.h"
#include "trainer/training_pipeline.h"

namespace boostr {
namespace {

double parameters_of(Model& model, const ModelPart& part) {
  double sum = 0;
  for (const std::vector<Parameter>& unit : parameter_units(model, part))
    for (const Parameter& parameter : unit)
      sum += static_cast<double>(parameter.global_shape().numel());
  return sum;
}

/// What weights, gradients and optimizer of a parameter take of a rank's memory at least.
double bytes_of_a_parameter(const MeshedRecipe& meshed) {
  const ParallelismSection& section = meshed.recipe.parallelism;
  const auto divided = [&](int stage) {
    return section.zero_stage >= stage ? double(meshed.mesh.shard) : 1.0;
  };
  const auto weight = double(size_of(dtype_named(meshed.recipe.precision.compute)));
  const double master = weight < 4 ? 4 : 0;
  const OptimizerSection& optimizer = meshed.recipe.optimizer;
  const double moments = optimizer.name != "SGD" ? 8 : optimizer.momentum > 0 ? 4 : 0;
  const double state = section.offload_path.empty() ? master + moments : 0;
  return (weight / divided(3) + 4 / divided(2) + state / divided(1)) / meshed.mesh.tensor;
}

/// What the rank with most work has to do, in any order.
double busiest(const Schedule& schedule, const std::vector<StageCosts>& costs) {
  std::vector<double> work(static_cast<std::size_t>(schedule.shape.stages));
  for (std::size_t stage = 0; stage < costs.size(); ++stage) {
    const StageCosts& cost = costs[stage];
    work[static_cast<std::size_t>(schedule.place(static_cast<int>(stage)).rank)] +=
        schedule.shape.microbatches * (cost.forward + cost.backward_input + cost.backward_weight);
  }
  return std::ranges::max(work);
}

/// One rank that holds a model of five layers in four chunks, and takes one microbatch through them:
/// embedding and a layer, a layer, two layers, a layer and the head.
RankRequest probe(Recipe recipe, bool splits_backward, const std::string& mode, int threads) {
  const int tensor = recipe.parallelism.tensor_parallel_degree;
  RankRequest request;
  request.threads = threads;
  request.degrees = {.pipeline = 1, .replicate = 1, .shard = 1, .tensor = tensor};
  recipe.model.llama.num_hidden_layers = 5;
  recipe.activation_checkpoint = {.mode = mode};
  recipe.training.global_batch_size = recipe.training.micro_batch_size;
  recipe.checkpoint.interval = 0;
  recipe.parallelism.offload_path.clear();
  recipe.parallelism.zero_stage = 0;
  request.recipe = std::move(recipe);
  request.layout.parts = {
      {true, 0, 1, false}, {false, 1, 2, false}, {false, 2, 4, false}, {false, 4, 5, true}};
  Schedule& schedule = request.layout.schedule;
  schedule.shape = {.stages = 1, .microbatches = 1, .chunks = 4};
  std::vector<Pass>& passes = schedule.passes.emplace_back();
  for (int chunk = 0; chunk < 4; ++chunk) passes.push_back({PassKind::forward, 0, chunk});
  for (int chunk = 4; chunk-- > 0;) {
    passes.push_back({splits_backward ? PassKind::backward_input : PassKind::backward, 0, chunk});
    if (splits_backward) passes.push_back({PassKind::backward_weight, 0, chunk});
  }
  return request;
}

}  // namespace

LayoutBounds::LayoutBounds(const ModelConfig& model, const DeviceModel& device, int threads)
    : device_(device), threads_(threads) {
  const std::unique_ptr<Communicator> alone = self_world();
  TensorParallel whole(*alone);
  const std::unique_ptr<Model> built = build_model(model, 1, DType::bf16, whole);
  layer_parameters_ = parameters_of(*built, {false, 0, 1, false});
  embed_parameters_ = parameters_of(*built, {true, 0, 0, false});
  head_parameters_ = parameters_of(*built, {false, 0, 0, true});
}

double LayoutBounds::parameters(const ModelPart& part) const {
  return layer_parameters_ * static_cast<double>(part.num_layers()) +
         (part.embeds ? embed_parameters_ : 0) + (part.ends ? head_parameters_ : 0);
}

LayoutBounds::ChunkNeeds LayoutBounds::sum(const ChunkNeeds& a, double times, const ChunkNeeds& b) {
  ChunkNeeds all = a;
  for (std::size_t pass = 0; pass < all.size(); ++pass) {
    all[pass].seconds += times * b[pass].seconds;
    all[pass].memory.kept += times * b[pass].memory.kept;
    all[pass].memory.peak += times * b[pass].memory.peak;
  }
  return all;
}

void LayoutBounds::measure(Links& links, const Recipe& recipe, bool splits_backward,
                           const std::string& mode) const {
  const RankRecord record = dry_rank(probe(recipe, splits_backward, mode, threads_));
  std::vector<ChunkNeeds> chunks;
  for (const ChunkRecord& chunk : record.microbatches.front().chunks) {
    ChunkNeeds& needs = chunks.emplace_back();
    const ChunkMemory memory = memory_of(chunk);
    std::size_t pass = 0;
    for (const PieceRecord* piece : {&chunk.forward, &chunk.backward, &chunk.weights}) {
      needs[pass] = {time_of(*piece, device_).pass(), memory[pass]};
      ++pass;
    }
  }
  links.layer = sum(chunks[2], -1, chunks[1]);
  links.input = sum(chunks[1], -1, links.layer);
  links.embed = sum(chunks[0], -1, links.layer);
  links.head = sum(chunks[3], -1, chunks[1]);
}

const LayoutBounds::Links& LayoutBounds::links(const Recipe& recipe, bool splits_backward,
                                               ActivationCheckpoint mode) {
  const ParallelismSection& section = recipe.parallelism;
  const Key key{section.tensor_parallel_degree, section.sequence_parallel,
                recipe.training.micro_batch_size, splits_backward, mode};
  const auto found = [&]() -> Links& {
    const std::lock_guard lock(mutex_);
    return links_[key];
  };
  Links& links = found();
  std::call_once(links.measured, [&] {
    const bool none = mode == ActivationCheckpoint::none;
    measure(links, recipe, splits_backward, none ? "none" : recipe.activation_checkpoint.mode);
  });
  return links;
}

LayoutBounds::ChunkNeeds LayoutBounds::needs(const Recipe& recipe, const ModelPart& part,
                                             bool splits_backward) {
  const Recomputation recomputation = recomputation_of(recipe);
  const auto links_of = [&](std::int64_t layer) -> const Links& {
    return links(recipe, splits_backward, recomputation.of_layer(layer));
  };
  const Links& any = links_of(std::min(part.first_layer, recipe.model.llama.num_hidden_layers - 1));
  ChunkNeeds needs = part.embeds ? any.embed : any.input;
  for (std::int64_t layer = part.first_layer; layer < part.end_layer; ++layer)
    needs = sum(needs, 1, links_of(layer).layer);
  return part.ends ? sum(needs, 1, any.head) : needs;
}

LayoutBounds::Least LayoutBounds::of(const MeshedRecipe& meshed, const PipelineLayout& layout) {
  const Schedule& schedule = layout.schedule;
  const bool splits = splits_backward(schedule);
  std::vector<StageCosts> costs;
  std::vector<ChunkMemory> memory;
  for (const ModelPart& part : layout.parts) {
    const auto [forward, backward, weights] = needs(meshed.recipe, part, splits);
    costs.push_back({.forward = forward.seconds,
                     .backward_input = backward.seconds,
                     .backward_weight = weights.seconds});
    memory.push_back({forward.memory, backward.memory, weights.memory});
  }
  const bool settles = meshed.recipe.parallelism.pipeline_parallel_schedule == "auto";
  Least least{settles ? busiest(schedule, costs)
                      : pipeline_seconds(meshed.recipe, simulate(schedule, costs)),
              0};
  least.seconds *= device_.step_factor;
  const double bytes_each = bytes_of_a_parameter(meshed);
  for (int rank = 0; rank < schedule.shape.stages; ++rank) {
    double bytes = 0;
    std::vector<ChunkMemory> chunks;
    for (int chunk = 0; chunk < schedule.shape.chunks; ++chunk) {
      const auto at = static_cast<std::size_t>(schedule.virtual_stage(rank, chunk));
      chunks.push_back(memory[at]);
      bytes += bytes_each * parameters(layout.parts[at]);
    }
    bytes += peak_activations(schedule, rank, chunks);
    least.bytes = std::max(least.bytes, bytes);
  }
  return least;
}

}  // namespace boostr
