#include "parallel/pipeline/simulate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

constexpr double never = -1;

/// The ranks' progress through their passes. Ends are kept by virtual stage and microbatch.
class Clock {
 public:
  Clock(const Schedule& schedule, std::span<const StageCosts> costs)
      : schedule_(schedule),
        costs_(costs),
        forward_(cells(), never),
        backward_(cells(), never),
        timeline_(schedule.passes.size()) {}

  PipelineTimeline run() {
    bool moved = true;
    while (moved) {
      moved = false;
      for (int rank = 0; rank < schedule_.shape.stages; ++rank) moved |= run_rank(rank);
    }
    for (std::size_t rank = 0; rank < timeline_.size(); ++rank)
      expect(timeline_[rank].size() == schedule_.passes[rank].size(),
             "simulate: the schedule deadlocks on rank ", rank, " at pass ",
             timeline_[rank].size());
    return std::move(timeline_);
  }

 private:
  std::size_t cells() const {
    return static_cast<std::size_t>(schedule_.shape.virtual_stages()) *
           static_cast<std::size_t>(schedule_.shape.microbatches);
  }

  double& end_of(std::vector<double>& ends, int virtual_stage, int microbatch) const {
    return ends[static_cast<std::size_t>(virtual_stage) *
                    static_cast<std::size_t>(schedule_.shape.microbatches) +
                static_cast<std::size_t>(microbatch)];
  }

  /// When the pass's input has arrived, or never.
  double ready(int rank, const Pass& pass) {
    const int stage = schedule_.virtual_stage(rank, pass.chunk);
    if (pass.kind == PassKind::backward_weight) return end_of(backward_, stage, pass.microbatch);
    double at = 0;
    if (pass.kind != PassKind::forward) at = end_of(forward_, stage, pass.microbatch);
    const std::optional<StagePlace> source = schedule_.source(rank, pass);
    if (!source || at == never) return at;
    const int from = schedule_.virtual_stage(source->rank, source->chunk);
    const double sent =
        end_of(pass.kind == PassKind::forward ? forward_ : backward_, from, pass.microbatch);
    if (sent == never) return never;
    const double travels =
        source->rank == rank ? 0 : costs_[static_cast<std::size_t>(from)].communication;
    return std::max(at, sent + travels);
  }

  bool run_rank(int rank) {
    const std::vector<Pass>& passes = schedule_.passes[static_cast<std::size_t>(rank)];
    std::vector<TimedPass>& done = timeline_[static_cast<std::size_t>(rank)];
    const std::size_t before = done.size();
    while (done.size() < passes.size()) {
      const Pass& pass = passes[done.size()];
      const double arrived = ready(rank, pass);
      if (arrived == never) break;
      const double begin = done.empty() ? arrived : std::max(arrived, done.back().end);
      const int stage = schedule_.virtual_stage(rank, pass.chunk);
      const double end = begin + costs_[static_cast<std::size_t>(stage)].of(pass.kind);
      if (pass.kind == PassKind::forward) end_of(forward_, stage, pass.microbatch) = end;
      if (makes_input_gradient(pass.kind)) end_of(backward_, stage, pass.microbatch) = end;
      done.push_back({pass, begin, end});
    }
    return done.size() > before;
  }

  const Schedule& schedule_;
  std::span<const StageCosts> costs_;
  std::vector<double> forward_, backward_;
  PipelineTimeline timeline_;
};

/// When the pass ended whose output a chunk of a rank made for another, if it ran.
std::optional<double> end_of_source(const std::vector<TimedPass>& passes, const Pass& wanted,
                                    int chunk) {
  for (const TimedPass& timed : passes) {
    const bool same_way = wanted.kind == PassKind::forward ? timed.pass.kind == PassKind::forward
                                                           : makes_input_gradient(timed.pass.kind);
    if (same_way && timed.pass.microbatch == wanted.microbatch && timed.pass.chunk == chunk)
      return timed.end;
  }
  return std::nullopt;
}

/// From the end of a pass to the begin of one that waited for it on another rank; 0 if none did.
double soonest_message(const Schedule& schedule, const PipelineTimeline& timeline) {
  double soonest = std::numeric_limits<double>::infinity();
  for (std::size_t rank = 0; rank < timeline.size(); ++rank)
    for (std::size_t i = 1; i < timeline[rank].size(); ++i) {
      const TimedPass& timed = timeline[rank][i];
      const auto source = schedule.source(static_cast<int>(rank), timed.pass);
      if (!source || source->rank == static_cast<int>(rank)) continue;
      const std::optional<double> sent = end_of_source(
          timeline[static_cast<std::size_t>(source->rank)], timed.pass, source->chunk);
      const bool waited = sent && *sent >= timeline[rank][i - 1].end && *sent <= timed.begin;
      if (waited) soonest = std::min(soonest, timed.begin - *sent);
    }
  return std::isinf(soonest) ? 0 : soonest;
}

double work_of(const std::vector<TimedPass>& passes) {
  double work = 0;
  for (const TimedPass& timed : passes) work += timed.end - timed.begin;
  return work;
}

}  // namespace

double StageCosts::of(PassKind kind) const {
  switch (kind) {
    case PassKind::forward:
      return forward;
    case PassKind::backward:
      return backward_input + backward_weight;
    case PassKind::backward_input:
      return backward_input;
    case PassKind::backward_weight:
      return backward_weight;
  }
  throw Error("a pass of no kind");
}

std::vector<StageCosts> even_costs(const StageCosts& stage, const PipelineShape& shape) {
  const StageCosts chunk{.forward = stage.forward / shape.chunks,
                         .backward_input = stage.backward_input / shape.chunks,
                         .backward_weight = stage.backward_weight / shape.chunks,
                         .communication = stage.communication};
  return std::vector<StageCosts>(static_cast<std::size_t>(shape.virtual_stages()), chunk);
}

std::vector<double> peak_activations(const Schedule& schedule, double weight_memory) {
  std::vector<double> peaks;
  for (const std::vector<Pass>& passes : schedule.passes) {
    int until_backward = 0, until_weights = 0;
    double most = 0;
    for (const Pass& pass : passes) {
      if (pass.kind == PassKind::forward) ++until_backward;
      most = std::max(most, until_backward + weight_memory * until_weights);
      if (makes_input_gradient(pass.kind)) --until_backward;
      if (pass.kind == PassKind::backward_input) ++until_weights;
      if (pass.kind == PassKind::backward_weight) --until_weights;
    }
    peaks.push_back(most / schedule.shape.chunks);
  }
  return peaks;
}

double one_f_one_b_peak(const PipelineShape& shape) {
  return std::min(shape.stages, shape.microbatches);
}

std::vector<StageCosts> mean_costs(const Schedule& schedule, const PipelineTimeline& timeline) {
  std::vector<StageCosts> costs(static_cast<std::size_t>(schedule.shape.virtual_stages()));
  for (std::size_t rank = 0; rank < timeline.size(); ++rank)
    for (const TimedPass& timed : timeline[rank]) {
      const int stage = schedule.virtual_stage(static_cast<int>(rank), timed.pass.chunk);
      StageCosts& cost = costs[static_cast<std::size_t>(stage)];
      const double part = (timed.end - timed.begin) / schedule.shape.microbatches;
      const double half = timed.pass.kind == PassKind::backward ? 0.5 : 1;
      if (timed.pass.kind == PassKind::forward) cost.forward += part;
      if (makes_input_gradient(timed.pass.kind)) cost.backward_input += half * part;
      if (makes_weight_gradients(timed.pass.kind)) cost.backward_weight += half * part;
    }
  const double message = soonest_message(schedule, timeline);
  for (StageCosts& cost : costs) cost.communication = message;
  return costs;
}

double longest_span(const PipelineTimeline& timeline) {
  double longest = 0;
  for (const std::vector<TimedPass>& passes : timeline)
    if (!passes.empty()) longest = std::max(longest, passes.back().end - passes.front().begin);
  return longest;
}

double bubble_rate(const PipelineTimeline& timeline) {
  const double cost = longest_span(timeline);
  double work = 0;
  for (const std::vector<TimedPass>& passes : timeline) work = std::max(work, work_of(passes));
  return cost > 0 ? (cost - work) / cost : 0;
}

Simulation simulate(const Schedule& schedule, std::span<const StageCosts> costs,
                    double weight_memory) {
  expect(costs.size() == static_cast<std::size_t>(schedule.shape.virtual_stages()),
         "simulate: costs of ", costs.size(), " virtual stages for a schedule of ",
         schedule.shape.virtual_stages());
  Simulation result{.timeline = Clock(schedule, costs).run(),
                    .peak_activations = peak_activations(schedule, weight_memory)};
  for (const std::vector<TimedPass>& passes : result.timeline)
    if (!passes.empty()) result.makespan = std::max(result.makespan, passes.back().end);
  result.bubble_rate = bubble_rate(result.timeline);
  return result;
}

}  // namespace boostr
