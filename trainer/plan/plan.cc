#include "trainer/plan/plan.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "models/build.h"
#include "parallel/comm/self.h"
#include "parallel/pipeline/simulate.h"
#include "trainer/pipeline_layout.h"
#include "trainer/run_start.h"
#include "trainer/trainer.h"
#include "trainer/training_pipeline.h"

namespace boostr {
namespace {

/// Offloaded state is in files, and checkpoints are copied to the host's memory.
double device_bytes(const BytesByUse& bytes, const DeviceModel& device) {
  double sum = 0;
  for (const MemoryUse use : memory_uses) {
    const bool elsewhere =
        use == MemoryUse::offload || (use == MemoryUse::checkpoint && !device.is_host);
    if (!elsewhere) sum += bytes[static_cast<std::size_t>(use)];
  }
  return sum;
}

/// What one rank of a stage showed, and what it comes to.
class Stage {
 public:
  Stage(const RankRecord& record, const DeviceModel& device) : record_(record), device_(device) {}

  StagePlan plan(const PipelineLayout& layout, int rank) const {
    StagePlan plan;
    plan.parts = layout.parts_of(rank);
    plan.bytes = record_.bytes;
    plan.bytes[static_cast<std::size_t>(MemoryUse::activations)] +=
        most_activations(layout.schedule, rank);
    plan.device_bytes = boostr::device_bytes(plan.bytes, device_);
    for_each_pass([&](const PieceRecord& pass, double count) { add(plan, pass, count); });
    add(plan, record_.update, 1);
    const PieceTime update = time_of(record_.update, device_);
    plan.update_seconds = update.kernels + update.wire.sum();
    const double sends = double(std::ranges::count_if(
        layout.schedule.passes[static_cast<std::size_t>(rank)],
        [&](const Pass& pass) { return sends_away(layout.schedule, rank, pass); }));
    plan.wire_bytes.pp += sends * record_.message_bytes;
    plan.wire_seconds.pp += sends * message_seconds(layout.schedule.shape.stages);
    return plan;
  }

  /// Of chunk `chunk`, the mean of all microbatches.
  StageCosts costs(std::size_t chunk, int stages) const {
    StageCosts costs;
    double count = 0;
    for (const MicrobatchRecord& microbatch : record_.microbatches) {
      const ChunkRecord& passes = microbatch.chunks[chunk];
      const auto weight = static_cast<double>(microbatch.count);
      costs.forward += weight * time_of(passes.forward, device_).pass();
      costs.backward_input += weight * time_of(passes.backward, device_).pass();
      costs.backward_weight += weight * time_of(passes.weights, device_).pass();
      count += weight;
    }
    costs.forward /= count;
    costs.backward_input /= count;
    costs.backward_weight /= count;
    costs.communication = message_seconds(stages);
    return costs;
  }

  /// Seconds of the data-parallel ranks' collectives that nothing hides.
  double exposed_dp() const {
    double wire = 0, hidden_by = 0;
    for_each_pass([&](const PieceRecord& pass, double count) {
      const PieceTime time = time_of(pass, device_);
      wire += count * time.wire.dp;
      if (time.wire.dp > 0) hidden_by += count * time.pass();
    });
    return device_.overlaps ? std::max(0.0, wire - hidden_by) : wire;
  }

 private:
  static bool sends_away(const Schedule& schedule, int rank, const Pass& pass) {
    const std::optional<StagePlace> to = schedule.destination(rank, pass);
    return to && to->rank != rank;
  }

  double message_seconds(int stages) const {
    if (stages == 1) return 0;
    return device_.seconds(
        WireCall{CallKind::send, "pp", {0, 2, device_.ranks_per_host}, record_.message_bytes});
  }

  template <class Visit>
  void for_each_pass(Visit&& visit) const {
    for (const MicrobatchRecord& microbatch : record_.microbatches)
      for (const ChunkRecord& chunk : microbatch.chunks)
        for (const PieceRecord* pass : {&chunk.forward, &chunk.backward, &chunk.weights})
          visit(*pass, static_cast<double>(microbatch.count));
  }

  void add(StagePlan& plan, const PieceRecord& piece, double count) const {
    const PieceTime time = time_of(piece, device_);
    plan.kernel_seconds += count * time.kernels;
    plan.wire_seconds.dp += count * time.wire.dp;
    plan.wire_seconds.tp += count * time.wire.tp;
    for (const KernelCall& call : piece.kernels) plan.kernel_flops += count * call.flops;
    for (const WireCall& call : piece.wire)
      plan.wire_bytes.along(call.group) += count * call.sent_bytes();
  }

  /// A microbatch in the middle of a step stands for all.
  double most_activations(const Schedule& schedule, int rank) const {
    std::vector<ChunkMemory> chunks;
    for (const ChunkRecord& chunk : record_.microbatches[record_.microbatches.size() / 2].chunks)
      chunks.push_back(memory_of(chunk));
    const double peak =
        std::max(record_.update.activations.peak, peak_activations(schedule, rank, chunks));
    // Messages on their way: what the next pass takes, and what the last one made.
    return peak + (schedule.shape.stages > 1 ? 2 * record_.message_bytes : 0);
  }

  const RankRecord& record_;
  const DeviceModel& device_;
};

/// The records of all stages; stages that hold the same run once.
class Records {
 public:
  Records(const Plan& plan, const PipelineLayout& layout, int threads) {
    request_.recipe = plan.recipe;
    request_.degrees = plan.mesh;
    request_.layout = layout;
    request_.threads = threads;
    for (int stage = 0; stage < layout.schedule.shape.stages; ++stage) {
      request_.stage = stage;
      const auto [found, is_new] = by_parts_.try_emplace(held_by(layout.parts_of(stage)));
      if (is_new) found->second = dry_rank(request_);
      stages_.push_back(&found->second);
    }
  }
  const RankRecord& operator[](int stage) const {
    return *stages_[static_cast<std::size_t>(stage)];
  }

 private:
  /// Alike for chunks that cost the same: their ends, and how each of their layers is computed again.
  std::vector<int> held_by(const std::vector<ModelPart>& parts) const {
    const Recomputation recomputation = recomputation_of(request_.recipe);
    std::vector<int> held;
    for (const ModelPart& part : parts) {
      held.insert(held.end(), {-1, part.embeds, part.ends});
      for (std::int64_t layer = part.first_layer; layer < part.end_layer; ++layer)
        held.push_back(static_cast<int>(recomputation.of_layer(layer)));
    }
    return held;
  }

  RankRequest request_;
  std::map<std::vector<int>, RankRecord> by_parts_;
  std::vector<const RankRecord*> stages_;
};

void add_memory(Plan& plan) {
  for (const StagePlan& stage : plan.stages) {
    plan.most_bytes = std::max(plan.most_bytes, stage.device_bytes);
    for (std::size_t use = 0; use < plan.bytes.size(); ++use)
      plan.bytes[use] = std::max(plan.bytes[use], stage.bytes[use]);
  }
}

/// Of a run that stays with the layout's schedule; `costs` become those of its virtual stages.
Plan plan_of_schedule(const MeshedRecipe& meshed, const PipelineLayout& layout,
                      const DeviceModel& device, int threads, std::vector<StageCosts>& costs) {
  Plan plan;
  plan.ranks = meshed.ranks;
  plan.mesh = meshed.mesh;
  plan.recipe = meshed.recipe;
  plan.memory_bytes = device.memory_bytes;
  plan.microbatches = layout.schedule.shape.microbatches;
  const Records records(plan, layout, threads);
  plan.parameters = records[0].parameters;
  plan.model_flops =
      records[0].flops_per_sequence * static_cast<double>(plan.recipe.training.global_batch_size);
  const PipelineShape& shape = layout.schedule.shape;
  costs.resize(layout.parts.size());
  double after = 0;
  for (int rank = 0; rank < shape.stages; ++rank) {
    const Stage stage(records[rank], device);
    plan.stages.push_back(stage.plan(layout, rank));
    for (int chunk = 0; chunk < shape.chunks; ++chunk)
      costs[static_cast<std::size_t>(layout.schedule.virtual_stage(rank, chunk))] =
          stage.costs(static_cast<std::size_t>(chunk), shape.stages);
    after = std::max(after, stage.exposed_dp() + plan.stages.back().update_seconds);
  }
  const Simulation simulation = simulate(layout.schedule, costs);
  plan.bubble_rate = simulation.bubble_rate;
  plan.step_seconds = (pipeline_seconds(plan.recipe, simulation) + after) * device.step_factor;
  add_memory(plan);
  return plan;
}

/// What a run would find that measures the passes: of those that are not split no halves.
std::vector<StageCosts> as_measured(std::vector<StageCosts> costs) {
  for (StageCosts& cost : costs)
    if (cost.backward_weight == 0)
      cost.backward_input = cost.backward_weight = cost.backward_input / 2;
  return costs;
}

/// What a run holds that goes from one schedule to another.
void hold_both(Plan& plan, const Plan& before) {
  for (std::size_t stage = 0; stage < plan.stages.size(); ++stage) {
    StagePlan& now = plan.stages[stage];
    const StagePlan& then = before.stages[stage];
    now.device_bytes = std::max(now.device_bytes, then.device_bytes);
    for (std::size_t use = 0; use < now.bytes.size(); ++use)
      now.bytes[use] = std::max(now.bytes[use], then.bytes[use]);
  }
  add_memory(plan);
}

}  // namespace

double Plan::tokens_per_second() const {
  return static_cast<double>(recipe.training.global_batch_size * recipe.training.seq_len) /
         step_seconds;
}

PipelineLayout planned_layout(const Recipe& recipe, const MeshDegrees& mesh) {
  const std::unique_ptr<Communicator> alone = self_world();
  TensorParallel whole(*alone);
  // Parameters have no memory until they are laid out.
  const std::unique_ptr<Model> model =
      build_model(recipe.model, 1, dtype_named(recipe.precision.compute), whole);
  const TrainingSection& training = recipe.training;
  const std::int64_t round = training.micro_batch_size * mesh.replicate * mesh.shard;
  return pipeline_layout(recipe.parallelism, model->num_layers(),
                         model->chain_costs(training.seq_len),
                         static_cast<int>(training.global_batch_size / round));
}

MeshedRecipe::MeshedRecipe(const Recipe& given, int num_ranks)
    : ranks(num_ranks),
      mesh(resolved(mesh_degrees(given.parallelism), num_ranks)),
      recipe(with_batch_inferred(given, mesh.replicate * mesh.shard)) {}

double pipeline_seconds(const Recipe& recipe, const Simulation& simulation) {
  return recipe.optimizer.post_validation ? longest_span(simulation.timeline) : simulation.makespan;
}

Plan make_plan(const Recipe& recipe, int ranks, const DeviceModel& device, int threads) {
  const MeshedRecipe meshed(recipe, ranks);
  return make_plan(meshed, planned_layout(meshed.recipe, meshed.mesh), device, threads);
}

Plan make_plan(const MeshedRecipe& meshed, const PipelineLayout& layout, const DeviceModel& device,
               int threads) {
  std::vector<StageCosts> costs;
  Plan first = plan_of_schedule(meshed, layout, device, threads, costs);
  const ParallelismSection& section = meshed.recipe.parallelism;
  if (section.pipeline_parallel_schedule != "auto") return first;
  // As TrainingPipeline does it after the second step.
  PipelineLayout settled = layout;
  settled.schedule = schedule_for(section, layout, as_measured(costs));
  if (settled.schedule == layout.schedule) return first;
  Plan plan = plan_of_schedule(meshed, settled, device, threads, costs);
  hold_both(plan, first);
  return plan;
}

}  // namespace boostr
