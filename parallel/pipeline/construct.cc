#include "parallel/pipeline/construct.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace boostr {
namespace {

constexpr double unknown = std::numeric_limits<double>::infinity();

/// How far a rank has come.
struct Progress {
  int weights = 0;  ///< microbatches whose weight gradients are made
  double now = 0;
  double idle = 0;
  std::vector<double> forward_ends, backward_ends;  ///< by microbatch
  int forwards() const { return static_cast<int>(forward_ends.size()); }
  int backwards() const { return static_cast<int>(backward_ends.size()); }
};

class Construction {
 public:
  Construction(const PipelineShape& shape, std::span<const StageCosts> costs,
               std::span<const RankPolicy> policies, const ActivationMemory& memory)
      : shape_(shape),
        costs_(costs),
        policies_(policies),
        memory_(memory),
        ranks_(static_cast<std::size_t>(shape.stages)) {
    schedule_.shape = shape;
    schedule_.passes.resize(ranks_.size());
  }

  Schedule run() {
    for (std::size_t left = ranks_.size(); left > 0;) {
      const std::size_t rank = earliest();
      decide(rank);
      if (done(ranks_[rank])) --left;
    }
    return std::move(schedule_);
  }

 private:
  bool done(const Progress& progress) const { return progress.weights == shape_.microbatches; }

  /// The rank that decides next: what others did before its time is known.
  std::size_t earliest() const {
    std::size_t rank = ranks_.size();
    for (std::size_t i = 0; i < ranks_.size(); ++i)
      if (!done(ranks_[i]) && (rank == ranks_.size() || ranks_[i].now < ranks_[rank].now)) rank = i;
    return rank;
  }

  /// When the input of a rank's next forward is there, as far as that is known.
  double forward_arrival(std::size_t rank) const {
    if (rank == 0) return 0;
    const Progress& before = ranks_[rank - 1];
    const int next = ranks_[rank].forwards();
    if (next >= before.forwards()) return unknown;
    return before.forward_ends[static_cast<std::size_t>(next)] + costs_[rank - 1].communication;
  }

  double backward_arrival(std::size_t rank) const {
    const Progress& own = ranks_[rank];
    const auto next = static_cast<std::size_t>(own.backwards());
    if (own.backwards() >= own.forwards()) return unknown;
    if (rank + 1 == ranks_.size()) return own.forward_ends[next];
    const Progress& after = ranks_[rank + 1];
    if (own.backwards() >= after.backwards()) return unknown;
    return after.backward_ends[next] + costs_[rank + 1].communication;
  }

  bool may_go_ahead(std::size_t rank) const {
    const Progress& own = ranks_[rank];
    const int ahead = own.forwards() - own.backwards();
    const double held = ahead + memory_.weight_memory * (own.backwards() - own.weights);
    return own.forwards() < shape_.microbatches && ahead < policies_[rank].ahead &&
           held + 1 <= memory_.limit + 1e-9;
  }

  void decide(std::size_t rank) {
    const double now = ranks_[rank].now;
    const double forward_at = may_go_ahead(rank) ? forward_arrival(rank) : unknown;
    const double backward_at = backward_arrival(rank);
    if (backward_at <= now) return run(rank, PassKind::backward_input);
    if (forward_at <= now) return run(rank, PassKind::forward);
    fill_or_wait(rank, std::min(forward_at, backward_at));
  }

  /// `next` is when there will be a forward or a backward to run.
  void fill_or_wait(std::size_t rank, double next) {
    Progress& own = ranks_[rank];
    const double gap = next - own.now;
    const bool fits = gap >= costs_[rank].backward_weight;
    const bool idle_for_long = own.idle + gap > policies_[rank].idle;
    if (own.backwards() > own.weights && (fits || idle_for_long))
      return run(rank, PassKind::backward_weight);
    const double until = next == unknown ? time_of_news(own.now) : next;
    if (own.forwards() > 0) own.idle += until - own.now;
    own.now = until;
  }

  /// When another rank will have decided something.
  double time_of_news(double now) const {
    double news = unknown;
    for (const Progress& other : ranks_)
      if (!done(other) && other.now > now) news = std::min(news, other.now);
    return news == unknown ? std::nextafter(now, unknown) : news;
  }

  void run(std::size_t rank, PassKind kind) {
    Progress& own = ranks_[rank];
    const int microbatch = kind == PassKind::forward          ? own.forwards()
                           : kind == PassKind::backward_input ? own.backwards()
                                                              : own.weights;
    schedule_.passes[rank].push_back({kind, microbatch, 0});
    own.now += costs_[rank].of(kind);
    if (kind == PassKind::forward) own.forward_ends.push_back(own.now);
    if (kind == PassKind::backward_input) own.backward_ends.push_back(own.now);
    if (kind == PassKind::backward_weight) ++own.weights;
  }

  PipelineShape shape_;
  std::span<const StageCosts> costs_;
  std::span<const RankPolicy> policies_;
  ActivationMemory memory_;
  std::vector<Progress> ranks_;
  Schedule schedule_;
};

}  // namespace

Schedule construct_schedule(const PipelineShape& shape, std::span<const StageCosts> costs,
                            std::span<const RankPolicy> policies, const ActivationMemory& memory) {
  return Construction(shape, costs, policies, memory).run();
}

}  // namespace boostr
