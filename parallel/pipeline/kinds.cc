#include "parallel/pipeline/kinds.h"

#include <algorithm>
#include <array>
#include <limits>

#include "kernels/runtime/error.h"
#include "parallel/pipeline/search.h"

namespace boostr {
namespace {

constexpr int any = std::numeric_limits<int>::max();

/// Of one step, each through one virtual stage; more would not fit into memory.
constexpr std::int64_t most_forwards = 1 << 22;

/// A rank's passes as they are written down: every kind of pass takes a chunk's microbatches in
/// order, which is why all schedules add gradients up in the same order.
class Order {
 public:
  explicit Order(int chunks) : next_(static_cast<std::size_t>(chunks)) {}

  void add(PassKind kind, int chunk = 0) {
    int& next = next_[static_cast<std::size_t>(chunk)][static_cast<std::size_t>(kind)];
    passes_.push_back({kind, next++, chunk});
  }
  void forward(int chunk = 0) { add(PassKind::forward, chunk); }
  void backward(int chunk = 0) { add(PassKind::backward, chunk); }
  void backward_input(int chunk = 0) { add(PassKind::backward_input, chunk); }
  void backward_weight(int chunk = 0) { add(PassKind::backward_weight, chunk); }

  int done(PassKind kind, int chunk = 0) const {
    return next_[static_cast<std::size_t>(chunk)][static_cast<std::size_t>(kind)];
  }
  /// Microbatches whose weight gradients are still owed.
  int owed(int chunk = 0) const {
    return done(PassKind::backward_input, chunk) - done(PassKind::backward_weight, chunk);
  }

  /// The passes of the first `microbatches`. An order stays valid without whole microbatches, so
  /// that one which is only known for certain numbers of them serves all others.
  std::vector<Pass> first(int microbatches) && {
    std::erase_if(passes_, [&](const Pass& pass) { return pass.microbatch >= microbatches; });
    return std::move(passes_);
  }

 private:
  std::vector<std::array<int, 4>> next_;
  std::vector<Pass> passes_;
};

/// As many forwards as reach the last stage, then one forward, one backward (PipeDream-flush,
/// arXiv 2006.09503).
std::vector<Pass> one_forward_one_backward(const PipelineShape& shape, int rank) {
  Order order(1);
  const int warmup = std::min(shape.microbatches, shape.stages - 1 - rank);
  for (int i = 0; i < warmup; ++i) order.forward();
  for (int i = warmup; i < shape.microbatches; ++i) {
    order.forward();
    order.backward();
  }
  for (int i = 0; i < warmup; ++i) order.backward();
  return std::move(order).first(shape.microbatches);
}

/// Groups of as many microbatches as there are stages go through one chunk after another, the last
/// of them filled up first: `warmup` forwards, then one forward, one backward.
std::vector<Pass> grouped(const PipelineShape& shape, int warmup) {
  const int stages = shape.stages, chunks = shape.chunks;
  const int total = (shape.microbatches + stages - 1) / stages * stages * chunks;
  Order order(chunks);
  const auto chunk_of = [&](int k) { return k / stages % chunks; };
  for (int k = 0; k < std::min(warmup, total); ++k) order.forward(chunk_of(k));
  for (int k = 0; k < total; ++k) {
    if (k < total - warmup) order.forward(chunk_of(warmup + k));
    order.backward(chunks - 1 - chunk_of(k));
  }
  return std::move(order).first(shape.microbatches);
}

/// All forwards, then all backwards (GPipe, arXiv 1811.06965).
std::vector<Pass> gpipe(const PipelineShape& shape, int /*rank*/) { return grouped(shape, any); }

/// 1f1b over several chunks (arXiv 2104.04473, section 2.2).
std::vector<Pass> interleaved(const PipelineShape& shape, int rank) {
  return grouped(shape, 2 * (shape.stages - 1 - rank) + (shape.chunks - 1) * shape.stages);
}

/// 1f1b with its backward in halves: a rank owes the weight gradients of as many microbatches as
/// there are stages before it, and pays them where 1f1b would wait (arXiv 2401.10241).
std::vector<Pass> zb_h1(const PipelineShape& shape, int rank) {
  Order order(1);
  const int warmup = std::min(shape.microbatches, shape.stages - 1 - rank);
  for (int i = 0; i < warmup; ++i) order.forward();
  for (int i = 0; i < shape.microbatches; ++i) {
    const bool forwards_left = warmup + i < shape.microbatches;
    if (forwards_left) order.forward();
    order.backward_input();
    if (order.owed() > rank || !forwards_left) order.backward_weight();
  }
  while (order.owed() > 0) order.backward_weight();
  return std::move(order).first(shape.microbatches);
}

/// zb_h1 with twice the warm-up, which fills the wait for the first backward too.
std::vector<Pass> zb_h2(const PipelineShape& shape, int rank) {
  Order order(1);
  const int warmup = std::min(shape.microbatches, 2 * (shape.stages - rank) - 1);
  for (int i = 0; i < warmup; ++i) order.forward();
  for (int i = 0; i < shape.microbatches; ++i) {
    const bool forwards_left = warmup + i < shape.microbatches;
    order.backward_input();
    if (order.owed() > 2 * rank || !forwards_left) order.backward_weight();
    if (forwards_left) order.forward();
  }
  while (order.owed() > 0) order.backward_weight();
  return std::move(order).first(shape.microbatches);
}

/// Two chunks, the second from the last rank back to the first: the first backward comes to every
/// rank soon, and nothing waits where all passes take equally long (arXiv 2405.15362).
std::vector<Pass> zb_v(const PipelineShape& shape, int rank) {
  const int stages = shape.stages, whole = std::max(shape.microbatches, 2 * stages);
  Order order(2);
  const auto backward = [&](int chunk) {
    order.backward_input(chunk);
    order.backward_weight(chunk);
  };
  for (int i = 0; i < 2 * (stages - rank) - 1; ++i) order.forward(0);
  for (int i = 0; i < rank; ++i) {
    order.forward(1);
    order.forward(0);
  }
  for (int i = 0; i < stages - rank; ++i) {
    order.forward(1);
    backward(1);
  }
  while (order.done(PassKind::forward, 1) < whole) {
    if (order.done(PassKind::forward, 0) < whole) order.forward(0);
    backward(0);
    order.forward(1);
    backward(1);
  }
  for (int i = 0; i < rank; ++i) {
    order.backward_input(0);
    order.backward_input(1);
  }
  for (int i = 0; i < stages - rank; ++i) backward(0);
  while (order.owed(1) > 0) order.backward_weight(1);
  while (order.owed(0) > 0) order.backward_weight(0);
  return std::move(order).first(shape.microbatches);
}

constexpr std::array<ScheduleKind, 7> kinds = {{
    {"gpipe", "all forwards, then all backwards", Placement::looped, 1, any, gpipe},
    {"1f1b", "one forward, one backward", Placement::looped, 1, 1, one_forward_one_backward},
    {"interleaved_1f1b", "1f1b over several chunks per rank", Placement::looped, 2, any,
     interleaved},
    {"zb_h1", "1f1b with weight gradients in its gaps, at the same memory", Placement::looped, 1, 1,
     zb_h1},
    {"zb_h2", "no gaps where all passes are equal, at about twice the memory", Placement::looped, 1,
     1, zb_h2},
    {"zb_v", "no gaps where all passes are equal, at the memory of 1f1b: two chunks per rank",
     Placement::v_shaped, 2, 2, zb_v},
    {"auto", "searched for the costs of the stages, within a limit of memory", Placement::looped, 1,
     any, nullptr},
}};

}  // namespace

std::span<const ScheduleKind> schedule_kinds() { return kinds; }

std::string schedule_kind_names() {
  std::string names;
  for (const ScheduleKind& kind : kinds) names += text(names.empty() ? "" : ", ", kind.name);
  return names;
}

const ScheduleKind& schedule_kind(std::string_view name) {
  const auto found = std::ranges::find(kinds, name, &ScheduleKind::name);
  require(found != kinds.end(), ExitCode::usage, "there is no schedule '", name,
          "'; schedules: ", schedule_kind_names());
  return *found;
}

void require_fits(const ScheduleKind& kind, const PipelineShape& shape) {
  require(shape.stages >= 1 && shape.microbatches >= 1 && shape.chunks >= 1, ExitCode::usage,
          "a pipeline needs at least one stage, one microbatch and one chunk, not ", shape.stages,
          ", ", shape.microbatches, " and ", shape.chunks);
  const std::int64_t forwards =
      std::int64_t{shape.stages} * shape.chunks * std::int64_t{shape.microbatches};
  require(forwards <= most_forwards, ExitCode::usage, "a schedule may have ", most_forwards,
          " forwards at most, stages x chunks x microbatches", ", not ", forwards);
  const bool fits = shape.chunks >= kind.least_chunks && shape.chunks <= kind.most_chunks;
  const std::string bound = kind.most_chunks == kind.least_chunks
                                ? text(kind.least_chunks)
                                : text(kind.least_chunks, " or more");
  require(fits, ExitCode::usage, "schedule ", kind.name, " needs ", bound, " chunk",
          bound == "1" ? "" : "s", " per rank, not ", shape.chunks);
}

Schedule make_schedule(std::string_view kind, const ScheduleRequest& request) {
  const ScheduleKind& found = schedule_kind(kind);
  require_fits(found, request.shape);
  if (found.order == nullptr) return search_schedule(request);
  Schedule schedule{request.shape, found.placement, {}};
  for (int rank = 0; rank < request.shape.stages; ++rank)
    schedule.passes.push_back(found.order(request.shape, rank));
  return schedule;
}

}  // namespace boostr
