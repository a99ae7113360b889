#include "trainer/plan/plan_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <tuple>
#include <utility>

#include "models/build.h"
#include "trainer/plan/layout_bounds.h"

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

  /// Those that change the same are the same.
  void add(Candidate candidate) {
    if (known_.insert(candidate.overrides).second) all_.push_back(std::move(candidate));
  }

  const Plan& from_;
  std::set<std::vector<std::string>> known_;
  std::vector<Candidate> all_;
};

/// work(0), work(1) ... on all cores, begun in this order.
void on_all_cores(std::size_t count, const std::function<void(std::size_t)>& work) {
  std::vector<std::future<void>> workers;
  std::atomic<std::size_t> next = 0;
  for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i)
    workers.push_back(std::async(std::launch::async, [&] {
      for (std::size_t at = next++; at < count; at = next++) work(at);
    }));
  for (std::future<void>& worker : workers) worker.wait();
  for (std::future<void>& worker : workers) worker.get();
}

/// The fastest plans so far, at most so many.
class Podium {
 public:
  explicit Podium(std::size_t places) : places_(places) {}

  /// Whether one that takes at least so long may be among them.
  bool may_hold(double seconds) {
    const std::lock_guard lock(mutex_);
    return plans_.size() < places_ || seconds <= plans_.rbegin()->first.first;
  }
  /// Of plans that take equally long the one of the lower number goes first.
  void add(std::size_t number, Plan plan) {
    const std::lock_guard lock(mutex_);
    const std::pair<double, std::size_t> key{plan.step_seconds, number};
    plans_.emplace(key, std::move(plan));
    if (plans_.size() > places_) plans_.erase(std::prev(plans_.end()));
  }
  /// By seconds and number.
  std::map<std::pair<double, std::size_t>, Plan>& plans() { return plans_; }

 private:
  std::size_t places_;
  std::mutex mutex_;
  std::map<std::pair<double, std::size_t>, Plan> plans_;
};

/// Layouts of one model; each is made once. Safe to use from several threads.
class Layouts {
 public:
  /// Error(usage) if there is none.
  std::shared_ptr<const PipelineLayout> of(const MeshedRecipe& meshed) {
    const ParallelismSection& section = meshed.recipe.parallelism;
    const TrainingSection& training = meshed.recipe.training;
    const std::lock_guard lock(mutex_);
    std::shared_ptr<const PipelineLayout>& known =
        known_[{section.pipeline_parallel_degree, section.pipeline_parallel_schedule,
                section.pipeline_parallel_chunks,
                training.micro_batch_size * meshed.mesh.replicate * meshed.mesh.shard}];
    if (!known)
      known = std::make_shared<const PipelineLayout>(planned_layout(meshed.recipe, meshed.mesh));
    return known;
  }

 private:
  /// Degree, schedule, chunks, sequences of a microbatch on all ranks.
  std::map<std::tuple<int, std::string, int, std::int64_t>, std::shared_ptr<const PipelineLayout>>
      known_;
  std::mutex mutex_;
};

/// Plans candidates, the most promising first, and no more of them than are needed to be sure.
class Search {
 public:
  Search(const Plan& from, const DeviceModel& device, int threads)
      : from_(from),
        device_(device),
        threads_(threads),
        bounds_(from.recipe.model, device, threads) {}

  /// The fastest of those that fit, at most `most`.
  std::vector<PlannedLayout> fastest(const std::vector<const Candidate*>& candidates,
                                     std::size_t most) {
    std::vector<std::optional<Promise>> promises(candidates.size());
    on_all_cores(candidates.size(), [&](std::size_t i) { promises[i] = promise(*candidates[i]); });
    std::vector<std::pair<double, std::size_t>> order;
    for (std::size_t i = 0; i < promises.size(); ++i)
      if (promises[i]) order.emplace_back(promises[i]->seconds, i);
    std::ranges::sort(order);
    Podium podium(most);
    on_all_cores(order.size(), [&](std::size_t place) {
      const auto [least_seconds, i] = order[place];
      if (!podium.may_hold(least_seconds)) return;
      Plan plan = make_plan(promises[i]->meshed, *promises[i]->layout, device_, threads_);
      if (plan.fits()) podium.add(i, std::move(plan));
    });
    std::vector<PlannedLayout> layouts;
    for (auto& [key, plan] : podium.plans()) {
      const Candidate& candidate = *candidates[key.second];
      layouts.push_back({candidate.overrides, candidate.distance, std::move(plan)});
    }
    return layouts;
  }

 private:
  /// A candidate that may fit.
  struct Promise {
    MeshedRecipe meshed;
    std::shared_ptr<const PipelineLayout> layout;
    double seconds = 0;  ///< of a step, at least
  };

  /// Nothing for a candidate that does not fit, together or into memory.
  std::optional<Promise> promise(const Candidate& candidate) {
    try {
      MeshedRecipe meshed(candidate.recipe, from_.ranks);
      std::shared_ptr<const PipelineLayout> layout = layouts_.of(meshed);
      const LayoutBounds::Least least = bounds_.of(meshed, *layout);
      if (least.bytes > device_.memory_bytes) return std::nullopt;
      return Promise{std::move(meshed), std::move(layout), least.seconds};
    } catch (const Error& error) {
      if (error.code() != ExitCode::usage) throw;
    }
    return std::nullopt;
  }

  const Plan& from_;
  const DeviceModel& device_;
  int threads_;
  Layouts layouts_;
  LayoutBounds bounds_;
};

}  // namespace

std::vector<PlannedLayout> best_layouts(const Plan& from, const DeviceModel& device, int threads,
                                        std::size_t most) {
  const Candidates candidates(from, device);
  std::vector<const Candidate*> all;
  for (const Candidate& candidate : candidates.all()) all.push_back(&candidate);
  return Search(from, device, threads).fastest(all, most);
}

std::optional<PlannedLayout> nearest_layout(const Plan& from, const DeviceModel& device,
                                            int threads) {
  const Candidates candidates(from, device);
  std::map<int, std::vector<const Candidate*>> by_distance;
  for (const Candidate& candidate : candidates.all())
    by_distance[candidate.distance].push_back(&candidate);
  Search search(from, device, threads);
  for (const auto& [distance, near] : by_distance) {
    std::vector<PlannedLayout> layouts = search.fastest(near, 1);
    if (!layouts.empty()) return std::move(layouts.front());
  }
  return std::nullopt;
}

}  // namespace boostr
