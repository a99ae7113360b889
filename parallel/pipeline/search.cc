#include "parallel/pipeline/search.h"

#include <algorithm>
#include <limits>

#include "kernels/runtime/error.h"
#include "parallel/pipeline/construct.h"
#include "parallel/pipeline/validate.h"

namespace boostr {
namespace {

/// Passes that may be simulated before the search is content: some ten seconds' worth.
constexpr double most_passes = 1e7;

class Search {
 public:
  explicit Search(const ScheduleRequest& request)
      : request_(request), limit_(request.memory_limit * one_f_one_b_peak(request.shape)) {}

  Schedule run() {
    for (const ScheduleKind& kind : schedule_kinds()) try_kind(kind);
    if (request_.shape.chunks == 1 && limit_ >= 1) {
      try_constructions();
      policies_ = best_policies_;
      for (RankPolicy& policy : policies_) refine(policy);
    }
    require(!best_.passes.empty(), ExitCode::usage, "no schedule of ", request_.shape.chunks,
            request_.shape.chunks == 1 ? " chunk" : " chunks", " per rank keeps within ",
            request_.memory_limit, " times the activation memory of 1f1b; the least is ",
            least_peak_ / one_f_one_b_peak(request_.shape));
    return std::move(best_);
  }

 private:
  /// Takes the schedule if it is better than the best so far. One that is constructed may make
  /// messages wait for too long.
  bool consider(Schedule schedule) {
    passes_left_ -= 3.0 * request_.shape.virtual_stages() * request_.shape.microbatches;
    const Simulation simulation = simulate(schedule, request_.costs, request_.weight_memory);
    const double peak = std::ranges::max(simulation.peak_activations);
    least_peak_ = std::min(least_peak_, peak);
    if (peak > limit_ + 1e-9 || simulation.bubble_rate >= rate_) return false;
    if (find_deadlock(schedule, Sends::rendezvous)) return false;
    rate_ = simulation.bubble_rate;
    best_ = std::move(schedule);
    return true;
  }

  void try_kind(const ScheduleKind& kind) {
    const int chunks = request_.shape.chunks;
    if (kind.order != nullptr && kind.least_chunks <= chunks && chunks <= kind.most_chunks)
      consider(make_schedule(kind.name, request_));
  }

  /// How long each rank's first backward comes after its first forward, in its forwards.
  std::vector<double> first_waits() const {
    std::vector<double> waits(request_.costs.size());
    double way = 0;  // from the begin of a rank's forward to its backward
    for (std::size_t rank = waits.size(); rank-- > 0;) {
      const StageCosts& own = request_.costs[rank];
      way += own.forward;
      waits[rank] = own.forward > 0 ? way / own.forward : 1;
      way += own.backward_input + own.communication;
      if (rank > 0) way += request_.costs[rank - 1].communication;
    }
    return waits;
  }

  bool try_policies() {
    return consider(construct_schedule(request_.shape, request_.costs, policies_,
                                       {limit_, request_.weight_memory}));
  }

  /// Every rank fills its first wait with forwards, as many as fit and `more`, and may be idle for
  /// the same part of a microbatch's time.
  std::vector<RankPolicy> even_policies(double more, double part_idle) const {
    std::vector<RankPolicy> policies;
    for (std::size_t rank = 0; rank < waits_.size(); ++rank) {
      const StageCosts& own = request_.costs[rank];
      const double whole = own.forward + own.backward_input + own.backward_weight;
      policies.push_back({std::max(1, static_cast<int>(waits_[rank] + more)), whole * part_idle});
    }
    return policies;
  }

  void try_constructions() {
    constexpr int parts = 20;
    waits_ = first_waits();
    for (const double more : {0.0, 0.5, 1.0, 1.5, 2.0})
      for (int part = 0; part <= parts; ++part) {
        policies_ = even_policies(more, static_cast<double>(part) / parts);
        if (try_policies()) best_policies_ = policies_;
      }
  }

  /// One rank of policies_: a forward more or less ahead, less or more time to be idle.
  void refine(RankPolicy& policy) {
    RankPolicy best = policy;
    for (const int ahead : {best.ahead - 1, best.ahead + 1, best.ahead})
      for (const double times : {0.0, 0.5, 1.0, 2.0}) {
        policy = {std::max(1, ahead), best.idle * times};
        if (passes_left_ > 0 && try_policies()) best = policy;
      }
    policy = best;
  }

  const ScheduleRequest& request_;
  double limit_;  ///< of a rank's peak, in microbatches
  double passes_left_ = most_passes;
  Schedule best_;
  double rate_ = std::numeric_limits<double>::infinity();
  double least_peak_ = std::numeric_limits<double>::infinity();
  std::vector<double> waits_;
  std::vector<RankPolicy> policies_, best_policies_;
};

}  // namespace

Schedule search_schedule(const ScheduleRequest& request) {
  expect(request.costs.size() == static_cast<std::size_t>(request.shape.virtual_stages()),
         "schedule auto needs costs of all ", request.shape.virtual_stages(), " virtual stages");
  return Search(request).run();
}

}  // namespace boostr
