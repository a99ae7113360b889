#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>

#include "kernels/runtime/profiler.h"
#include "models/build.h"
#include "ops/probe.h"
#include "parallel/comm/profiled_communicator.h"
#include "trainer/agreement.h"
#include "trainer/plan/calibration.h"
#include "trainer/plan/plan.h"
#include "trainer/plan/rank_step.h"
#include "trainer/run_start.h"

namespace boostr {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int warm_up_steps = 3;
/// Of each workload: many of those that are over soon, for what disturbs them comes now and then.
constexpr double measured_seconds = 0.5;
constexpr double least_steps = 5, most_steps = 100;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// A model of this width, trained in this type; the rest as in the LLaMA family.
Recipe workload(std::int64_t width, const std::string& compute) {
  Recipe recipe;
  LlamaConfig& model = recipe.model.llama;
  model.vocab_size = 256;
  model.hidden_size = width;
  model.num_hidden_layers = 2;
  model.num_attention_heads = model.num_key_value_heads = std::max<std::int64_t>(4, width / 64);
  model.head_dim = width / model.num_attention_heads;
  model.intermediate_size = width * 11 / 4;
  recipe.training.seq_len = std::min<std::int64_t>(width, 256);
  recipe.training.micro_batch_size = 2;
  recipe.precision.compute = compute;
  return recipe;
}

/// Each width and type, and each way to divide the work.
std::vector<Recipe> workloads(int ranks, const std::vector<std::string>& types) {
  std::vector<Recipe> all;
  for (const std::string& compute : types)
    for (const std::int64_t width : {64, 128, 256, 512}) {
      Recipe recipe = workload(width, compute);
      all.push_back(recipe);
      if (ranks == 1) continue;
      recipe.parallelism.zero_stage = 3;
      all.push_back(recipe);
      if (!tensor_parallel_problem(recipe.model, ranks).empty()) continue;
      recipe.parallelism.sequence_parallel = true;
      for (int tensor = 2; tensor <= ranks && ranks % tensor == 0; tensor *= 2) {
        recipe.parallelism.tensor_parallel_degree = tensor;
        all.push_back(recipe);
      }
    }
  return all;
}

/// Measurements of one kernel or collective: (size, seconds), by half powers of two of the size.
class Samples {
 public:
  void add(double size, double seconds) {
    bins_[static_cast<int>(std::lround(2 * std::log2(size)))].emplace_back(seconds, size);
  }
  /// A point for each bin: means without the slowest twentieth, which something else held up.
  Curve curve() const {
    std::vector<std::pair<double, double>> points;
    for (auto [bin, samples] : bins_) {
      std::ranges::sort(samples);
      const std::size_t kept = samples.size() - samples.size() / 20;
      double size = 0, seconds = 0;
      for (std::size_t i = 0; i < kept; ++i) {
        seconds += samples[i].first;
        size += samples[i].second;
      }
      points.emplace_back(size / double(kept), std::max(seconds / double(kept), 1e-9));
    }
    return Curve(std::move(points));
  }

 private:
  std::map<int, std::vector<std::pair<double, double>>> bins_;
};

/// What a rank saw of all workloads.
class Observations {
 public:
  explicit Observations(HostRates& rates) : rates_(rates) {}

  /// One step of `seconds`.
  void add(const std::vector<TimelineEvent>& events, double seconds) {
    double inside = 0;
    for (const TimelineEvent& event : events) {
      const double took = double(event.end - event.begin) * 1e-9;
      inside += took;
      if (event.kind == TimelineEvent::Kind::kernel)
        add_kernel(event, took);
      else
        add_communication(event, took);
    }
    // What was done for collectives between kernels is theirs.
    const double whole = waited_ > 0 ? 1 + progress_ / waited_ : 1;
    for (const auto& [event, took] : calls_)
      if (event->ranks > 1)
        collectives_[{std::string(event->name), event->ranks}].add(std::max(event->bytes, 1.0),
                                                                   took * whole);
    outside_ += std::max(0.0, seconds - inside);
    calls_.clear();
    open_.clear();
    progress_ = waited_ = 0;
  }

  void finish() {
    for (const auto& [key, samples] : kernels_) rates_.kernels[key] = samples.curve();
    for (const auto& [key, samples] : collectives_) rates_.collectives[key] = samples.curve();
    rates_.host_seconds = outside_ / double(std::max<std::int64_t>(num_kernels_, 1));
  }

 private:
  void add_kernel(const TimelineEvent& event, double took) {
    ++num_kernels_;
    const KernelCall call{event.name, event.dtype, event.flops, event.bytes};
    DeviceModel peaks;
    peaks.flops = rates_.flops;
    peaks.bandwidth = rates_.bandwidth;
    const double least = peaks.least_seconds(call);
    if (least > 0 && is_float(event.dtype))
      kernels_[{std::string(event.name), event.dtype}].add(least, took);
  }

  /// A wait belongs to the oldest call of its kind that none belongs to yet.
  void add_communication(const TimelineEvent& event, double took) {
    const std::string name(event.name);
    if (name == "progress") {
      progress_ += took;
      return;
    }
    const std::size_t wait = name.find(" wait");
    std::deque<std::size_t>& open = open_[name.substr(0, wait)];
    if (wait == std::string::npos) {
      open.push_back(calls_.size());
      calls_.emplace_back(&event, took);
    } else if (!open.empty()) {
      calls_[open.front()].second += took;
      open.pop_front();
    }
    waited_ += took;
  }

  HostRates& rates_;
  // Of the step that is being read:
  std::vector<std::pair<const TimelineEvent*, double>> calls_;
  std::map<std::string, std::deque<std::size_t>> open_;
  double progress_ = 0, waited_ = 0;
  // Of all steps:
  std::map<std::pair<std::string, DType>, Samples> kernels_;
  std::map<std::pair<std::string, int>, Samples> collectives_;
  double outside_ = 0;
  std::int64_t num_kernels_ = 0;
};

/// What this rank of `world` does of `recipe`.
RankRequest request_of(const Recipe& recipe, const Communicator& world, int threads) {
  const MeshedRecipe meshed(recipe, world.size());
  const MeshDegrees& mesh = meshed.mesh;
  RankRequest request;
  request.degrees = mesh;
  request.recipe = meshed.recipe;
  request.stage = world.rank() / (mesh.replicate * mesh.shard * mesh.tensor);
  request.layout = planned_layout(request.recipe, mesh);
  request.threads = threads;
  return request;
}

/// Runs step(), which returns seconds, until it is warm and then for some time, and passes what it
/// took to `take`; all ranks of `world` do.
template <class Step, class Take>
void repeat(Communicator& world, Step&& step, Take&& take) {
  double seconds = 0;
  for (int i = 0; i < warm_up_steps; ++i) seconds = step();
  const double steps =
      std::clamp(measured_seconds / all_ranks_max(world, seconds), least_steps, most_steps);
  for (int i = 0; i < static_cast<int>(steps); ++i) take(step());
}

/// Trains `recipe` for some steps; all ranks of `world` do.
void observe(const Recipe& recipe, Communicator& world, int threads, Observations& observations) {
  const RankRequest request = request_of(recipe, world, threads);
  Timeline timeline;
  ProfiledCommunicator profiled_world(world, timeline);
  RankStep rank(request, profiled_world);
  const KernelProfiler profiler(timeline);
  const auto run = [](const RankStep::Place&, const std::function<void()>& piece) { piece(); };
  const auto step = [&] {
    world.barrier();
    timeline.restart(timeline.events().size());
    const Clock::time_point begin = Clock::now();
    rank.step(run);
    return seconds_since(begin);
  };
  repeat(world, step, [&](double seconds) { observations.add(timeline.events(), seconds); });
}

/// Adds what whole steps take that nobody watches.
void time_whole_steps(const Recipe& recipe, Communicator& world, int threads,
                      std::vector<double>& all) {
  const RankRequest request = request_of(recipe, world, threads);
  RankStep rank(request, world);
  const auto step = [&] {
    const Clock::time_point begin = Clock::now();
    rank.whole_step();
    return seconds_since(begin);
  };
  repeat(world, step, [&](double seconds) { all.push_back(seconds); });
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ptrdiff_t(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

/// Messages between the first two ranks, there and back, while the others wait.
Curve message_curve(Communicator& world) {
  Samples samples;
  for (const std::int64_t bytes : {1 << 10, 1 << 14, 1 << 18, 1 << 20})
    for (int round = 0; round < 20; ++round) {
      std::vector<std::byte> buffer(static_cast<std::size_t>(bytes));
      const Out view{buffer.data(), DType::u8, {bytes}};
      world.barrier();
      const Clock::time_point begin = Clock::now();
      if (world.rank() == 0) world.send(view, 1).wait();
      if (world.rank() < 2) world.recv(view, 1 - world.rank()).wait();
      if (world.rank() == 1) world.send(view, 0).wait();
      samples.add(double(bytes), seconds_since(begin) / 2);
    }
  return samples.curve();
}

}  // namespace

HostRates measure_rates(Communicator& world, const HostShare& share, const Recipe* also) {
  HostRates rates;
  rates.share = share;
  // All ranks at once, so that they load the machine as they do in a step.
  for (const DType dtype : {DType::f32, DType::bf16, DType::f64}) {
    world.barrier();
    rates.flops[dtype] = measured_peak_flops(dtype, 0.05);
  }
  world.barrier();
  rates.bandwidth = measured_bandwidth();
  world.barrier();
  std::vector<std::string> types = {"bf16", "f32"};
  if (also != nullptr) types = {also->precision.compute};
  std::vector<Recipe> recipes = workloads(world.size(), types);
  if (also != nullptr) recipes.push_back(*also);
  // Whole steps before and after the rest: what disturbs this machine comes and goes.
  std::vector<double> whole_steps;
  if (also != nullptr) time_whole_steps(*also, world, share.threads, whole_steps);
  Observations observations(rates);
  for (const Recipe& recipe : recipes) observe(recipe, world, share.threads, observations);
  observations.finish();
  if (world.size() > 1) rates.collectives[{"send", 2}] = message_curve(world);
  if (also == nullptr) return rates;
  time_whole_steps(*also, world, share.threads, whole_steps);
  if (world.rank() == 0) {
    const DeviceModel device = calibrated_device(rates, share);
    rates.step_factor =
        median(whole_steps) / make_plan(*also, world.size(), device, share.threads).step_seconds;
  }
  return rates;
}

}  // namespace boostr
