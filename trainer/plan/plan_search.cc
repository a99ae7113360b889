#include "trainer/plan/plan_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <thread>

#include "models/build.h"

namespace boostr {
namespace {

/// A recipe that differs from the one that is planned.
struct Candidate {
  Recipe recipe;
  std::vector<std::string> overrides;
  int distance = 0;

  template <class Value>
  void set(const std::string& key, Value& field, const Value& value, int cost) {
    if (field == value) return;
    field = value;
    overrides.push_back(fmt::format("{}={}", key, value));
    distance += cost;
  }
};

/// Powers of two up to `most`, and `own`.
std::vector<int> degrees(int most, int own) {
  std::vector<int> all{own};
  for (int degree = 1; degree <= most; degree *= 2)
    if (degree != own) all.push_back(degree);
  return all;
}

/// All candidates on the ranks of `from`.
class Candidates {
 public:
  Candidates(const Plan& from, const DeviceModel& device) : from_(from) {
    for (const int tensor : degrees(device.ranks_per_host, from.mesh.tensor))
      for (const int pipeline : degrees(from.ranks, from.mesh.pipeline))
        if (possible(tensor, pipeline)) add_mesh(tensor, pipeline);
  }
  const std::vector<Candidate>& all() const { return all_; }

 private:
  bool possible(int tensor, int pipeline) const {
    return from_.ranks % (tensor * pipeline) == 0 &&
           pipeline <= from_.recipe.model.llama.num_hidden_layers &&
           tensor_parallel_problem(from_.recipe.model, tensor).empty();
  }

  void add_mesh(int tensor, int pipeline) {
    Candidate mesh{from_.recipe, {}, 0};
    ParallelismSection& section = mesh.recipe.parallelism;
    mesh.set("parallelism.tensor_parallel_degree", section.tensor_parallel_degree, tensor, 4);
    mesh.set("parallelism.sequence_parallel", section.sequence_parallel,
             tensor > 1 && (section.sequence_parallel || tensor != from_.mesh.tensor), 0);
    mesh.set("parallelism.pipeline_parallel_degree", section.pipeline_parallel_degree, pipeline, 6);
    const int dp = from_.ranks / (tensor * pipeline);
    if (dp % std::max(section.data_parallel_replicate_degree, 1) != 0)
      mesh.set("parallelism.data_parallel_replicate_degree", section.data_parallel_replicate_degree,
               1, 1);
    if (section.data_parallel_replicate_degree > 0)
      mesh.set("parallelism.data_parallel_shard_degree", section.data_parallel_shard_degree, -1, 0);
    if (pipeline == 1) return add_stages(mesh, dp);
    for (const std::string& schedule : {section.pipeline_parallel_schedule, std::string("1f1b"),
                                        std::string("zb_h1"), std::string("zb_v")})
      add_schedule(mesh, schedule, dp);
  }

  void add_schedule(const Candidate& mesh, const std::string& schedule, int dp) {
    const ParallelismSection& own = mesh.recipe.parallelism;
    Candidate candidate = mesh;
    ParallelismSection& section = candidate.recipe.parallelism;
    candidate.set("parallelism.pipeline_parallel_schedule", section.pipeline_parallel_schedule,
                  schedule, 2);
    if (section.pipeline_parallel_schedule != own.pipeline_parallel_schedule)
      candidate.set("parallelism.pipeline_parallel_chunks", section.pipeline_parallel_chunks, -1,
                    0);
    add_stages(candidate, dp);
  }

  void add_stages(const Candidate& mesh, int dp) {
    for (const int stage : {from_.recipe.parallelism.zero_stage, 0, 1, 2, 3}) {
      if (dp == 1 && stage != from_.recipe.parallelism.zero_stage) continue;
      Candidate candidate = mesh;
      candidate.set("parallelism.zero_stage", candidate.recipe.parallelism.zero_stage, stage, 1);
      add_modes(candidate);
    }
  }

  void add_modes(const Candidate& mesh) {
    for (const char* mode : {"none", "selective", "full"})
      for (const std::int64_t rows : {from_.recipe.training.micro_batch_size, std::int64_t{1}}) {
        Candidate candidate = mesh;
        candidate.set("activation_checkpoint.mode", candidate.recipe.activation_checkpoint.mode,
                      std::string(mode), 1);
        candidate.set("training.micro_batch_size", candidate.recipe.training.micro_batch_size, rows,
                      1);
        add(std::move(candidate));
      }
  }

  void add(Candidate candidate) {
    const bool known = std::ranges::any_of(
        all_, [&](const Candidate& other) { return other.recipe == candidate.recipe; });
    if (!known) all_.push_back(std::move(candidate));
  }

  const Plan& from_;
  std::vector<Candidate> all_;
};

/// What weights, gradients and optimizer take at least: reason enough not to look closer.
bool hopeless(const Candidate& candidate, const Plan& from, const DeviceModel& device) {
  const ParallelismSection& section = candidate.recipe.parallelism;
  const int model = section.tensor_parallel_degree * section.pipeline_parallel_degree;
  const double shards =
      double(from.ranks) / model / std::max(section.data_parallel_replicate_degree, 1);
  const auto divided = [&](int stage) { return section.zero_stage >= stage ? shards : 1.0; };
  const bool wide = candidate.recipe.precision.compute != "bf16";
  const double weight = wide ? 4 : 2, state = wide ? 0 : 4;
  const double bytes = weight / divided(3) + 4 / divided(2) + state / divided(1);
  return bytes * double(from.parameters) / model > device.memory_bytes;
}

/// Nothing for a candidate that does not fit, together or into memory.
std::optional<Plan> plan_of(const Candidate& candidate, const Plan& from, const DeviceModel& device,
                            int threads) {
  if (hopeless(candidate, from, device)) return std::nullopt;
  try {
    Plan plan = make_plan(candidate.recipe, from.ranks, device, threads);
    if (plan.fits()) return plan;
  } catch (const Error& error) {
    if (error.code() != ExitCode::usage) throw;
  }
  return std::nullopt;
}

/// Those that fit, planned on all cores; the fastest first.
std::vector<PlannedLayout> planned(const std::vector<const Candidate*>& candidates,
                                   const Plan& from, const DeviceModel& device, int threads) {
  std::vector<std::optional<Plan>> plans(candidates.size());
  std::vector<std::future<void>> workers;
  std::atomic<std::size_t> next = 0;
  for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i)
    workers.push_back(std::async(std::launch::async, [&] {
      for (std::size_t at = next++; at < candidates.size(); at = next++)
        plans[at] = plan_of(*candidates[at], from, device, threads);
    }));
  for (std::future<void>& worker : workers) worker.wait();
  for (std::future<void>& worker : workers) worker.get();
  std::vector<PlannedLayout> layouts;
  for (std::size_t i = 0; i < candidates.size(); ++i)
    if (plans[i])
      layouts.push_back({candidates[i]->overrides, candidates[i]->distance, std::move(*plans[i])});
  std::ranges::stable_sort(layouts, {},
                           [](const PlannedLayout& layout) { return layout.plan.step_seconds; });
  return layouts;
}

}  // namespace

std::vector<PlannedLayout> best_layouts(const Plan& from, const DeviceModel& device, int threads,
                                        std::size_t most) {
  const Candidates candidates(from, device);
  std::vector<const Candidate*> all;
  for (const Candidate& candidate : candidates.all()) all.push_back(&candidate);
  std::vector<PlannedLayout> layouts = planned(all, from, device, threads);
  if (layouts.size() > most) layouts.erase(layouts.begin() + std::ptrdiff_t(most), layouts.end());
  return layouts;
}

std::optional<PlannedLayout> nearest_layout(const Plan& from, const DeviceModel& device,
                                            int threads) {
  const Candidates candidates(from, device);
  std::map<int, std::vector<const Candidate*>> by_distance;
  for (const Candidate& candidate : candidates.all())
    by_distance[candidate.distance].push_back(&candidate);
  for (const auto& [distance, near] : by_distance) {
    std::vector<PlannedLayout> layouts = planned(near, from, device, threads);
    if (!layouts.empty()) return std::move(layouts.front());
  }
  return std::nullopt;
}

}  // namespace boostr
