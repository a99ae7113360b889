#include "parallel/pipeline/validate.h"

#include <algorithm>
#include <array>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

/// The three results that every microbatch has on every virtual stage; a backward has two of them.
enum Result : std::size_t { forward, input_gradient, weight_gradients, results };

constexpr std::array<PassKind, results> single = {PassKind::forward, PassKind::backward_input,
                                                  PassKind::backward_weight};

/// Where a rank's passes stand, by chunk, microbatch and result.
class Positions {
 public:
  static constexpr int nowhere = -1;

  explicit Positions(const PipelineShape& shape)
      : microbatches_(shape.microbatches),
        at_(results * static_cast<std::size_t>(shape.chunks) *
                static_cast<std::size_t>(shape.microbatches),
            nowhere) {}

  int& of(Result result, const Pass& pass) {
    const int cell = pass.chunk * microbatches_ + pass.microbatch;
    return at_[static_cast<std::size_t>(cell) * results + result];
  }

 private:
  int microbatches_;
  std::vector<int> at_;
};

std::optional<std::string> beyond_shape(const Pass& pass, const PipelineShape& shape) {
  const auto named = [&] { return name(pass, std::max(shape.chunks, pass.chunk + 1)); };
  if (pass.microbatch < 0 || pass.microbatch >= shape.microbatches)
    return text(named(), " is of no microbatch: there are ", shape.microbatches);
  if (pass.chunk < 0 || pass.chunk >= shape.chunks)
    return text(named(), " is of no chunk: there are ", shape.chunks);
  return std::nullopt;
}

bool makes(PassKind kind, Result result) {
  if (result == forward) return kind == PassKind::forward;
  return result == input_gradient ? makes_input_gradient(kind) : makes_weight_gradients(kind);
}

/// Notes a pass of a rank; what is wrong with it, given those before it.
std::optional<std::string> note(const Pass& pass, int position, Positions& positions, int chunks) {
  for (const Result result : {forward, input_gradient, weight_gradients}) {
    if (!makes(pass.kind, result)) continue;
    int& at = positions.of(result, pass);
    if (at != Positions::nowhere)
      return text(name(pass, chunks), " is doubled: pass ", at + 1, " does it already");
    at = position;
    if (result == forward) continue;
    const auto needed = static_cast<Result>(result - 1);
    if (positions.of(needed, pass) == Positions::nowhere)
      return text(name(pass, chunks), " comes before its ",
                  name({single[needed], pass.microbatch, pass.chunk}, chunks));
  }
  return std::nullopt;
}

/// Faults that show in one rank's passes alone.
std::optional<ScheduleFault> fault_of_rank(const Schedule& schedule, std::size_t rank) {
  const PipelineShape& shape = schedule.shape;
  const std::vector<Pass>& passes = schedule.passes[rank];
  Positions positions(shape);
  for (std::size_t i = 0; i < passes.size(); ++i) {
    std::optional<std::string> wrong = beyond_shape(passes[i], shape);
    if (!wrong) wrong = note(passes[i], static_cast<int>(i), positions, shape.chunks);
    if (wrong) return ScheduleFault{rank, i, *wrong};
  }
  for (int cell = 0; cell < shape.chunks * shape.microbatches; ++cell) {
    Pass pass{.microbatch = cell % shape.microbatches, .chunk = cell / shape.microbatches};
    for (const Result result : {forward, input_gradient, weight_gradients}) {
      pass.kind = single[result];
      if (positions.of(result, pass) == Positions::nowhere)
        return ScheduleFault{rank, passes.size(), text(name(pass, shape.chunks), " is missing")};
    }
  }
  return std::nullopt;
}

/// What a rank waits for before its next pass: that another rank passes or comes to a position.
struct Wait {
  std::size_t rank = 0;
  int position = 0;
  bool to_receive = false;  ///< the other has to take a message rather than to make one
};

/// The ranks go through their passes as far as they can.
class Walk {
 public:
  Walk(const Schedule& schedule, Sends sends)
      : schedule_(schedule), sends_(sends), next_(schedule.passes.size()) {
    for (const std::vector<Pass>& passes : schedule.passes) {
      Positions& positions = positions_.emplace_back(schedule.shape);
      for (int i = 0; const Pass& pass : passes) {
        if (makes(pass.kind, forward)) positions.of(forward, pass) = i;
        if (makes(pass.kind, input_gradient)) positions.of(input_gradient, pass) = i;
        ++i;
      }
    }
    sent_.resize(2 * next_.size() * next_.size());
  }

  /// Whether all ranks come to their ends.
  bool ends() {
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t rank = 0; rank < next_.size(); ++rank) moved |= advance(rank);
    }
    return std::ranges::equal(next_, schedule_.passes, {}, {}, &std::vector<Pass>::size);
  }

  /// After a walk that does not end: whom a rank that is not at its end waits for.
  Wait wait_of(std::size_t rank) { return *blocked(rank, schedule_.passes[rank][next_[rank]]); }
  std::size_t at(std::size_t rank) const { return next_[rank]; }
  bool at_end(std::size_t rank) const { return next_[rank] == schedule_.passes[rank].size(); }

 private:
  /// The messages that a rank sent last, the newest first.
  using Sent = std::array<std::optional<Wait>, most_waiting_messages>;

  Sent& sent(std::size_t from, PassKind kind, int to) {
    const std::size_t direction = kind == PassKind::forward ? 0 : 1;
    return sent_[(direction * next_.size() + from) * next_.size() + static_cast<std::size_t>(to)];
  }

  /// Where the other side of a pass's message stands on its rank.
  Wait peer(const StagePlace& place, const Pass& pass, bool to_receive) {
    const auto rank = static_cast<std::size_t>(place.rank);
    const Result result = pass.kind == PassKind::forward ? forward : input_gradient;
    const int position =
        positions_[rank].of(result, {.microbatch = pass.microbatch, .chunk = place.chunk});
    return {rank, position, to_receive};
  }

  bool is_over(const Wait& wait) const {
    const int reached = static_cast<int>(next_[wait.rank]);
    return wait.to_receive ? reached >= wait.position : reached > wait.position;
  }

  std::optional<Wait> blocked(std::size_t rank, const Pass& pass) {
    const int own = static_cast<int>(rank);
    if (const auto source = schedule_.source(own, pass)) {
      const Wait made = peer(*source, pass, false);
      if (!is_over(made)) return made;
    }
    const auto destination = schedule_.destination(own, pass);
    if (sends_ == Sends::eager || !destination || destination->rank == own) return std::nullopt;
    const std::optional<Wait>& oldest = sent(rank, pass.kind, destination->rank).back();
    return oldest && !is_over(*oldest) ? oldest : std::nullopt;
  }

  bool advance(std::size_t rank) {
    const std::size_t before = next_[rank];
    for (; !at_end(rank); ++next_[rank]) {
      const Pass& pass = schedule_.passes[rank][next_[rank]];
      if (blocked(rank, pass)) break;
      const auto destination = schedule_.destination(static_cast<int>(rank), pass);
      if (!destination || destination->rank == static_cast<int>(rank)) continue;
      Sent& messages = sent(rank, pass.kind, destination->rank);
      std::ranges::rotate(messages, messages.end() - 1);
      messages.front() = peer(*destination, pass, true);
    }
    return next_[rank] > before;
  }

  const Schedule& schedule_;
  Sends sends_;
  std::vector<std::size_t> next_;  ///< the pass that a rank is at
  std::vector<Positions> positions_;
  std::vector<Sent> sent_;  ///< by direction, sender and receiver
};

/// A rank that waits, through others, for itself: every rank that is stuck waits for one that is.
std::size_t rank_of_cycle(Walk& walk, std::size_t ranks) {
  std::size_t rank = 0;
  while (walk.at_end(rank)) ++rank;
  for (std::size_t i = 0; i < ranks; ++i) rank = walk.wait_of(rank).rank;
  return rank;
}

}  // namespace

std::optional<ScheduleFault> find_deadlock(const Schedule& schedule, Sends sends) {
  Walk walk(schedule, sends);
  if (walk.ends()) return std::nullopt;
  const auto pass_name = [&](std::size_t rank, std::size_t position) {
    return name(schedule.passes[rank][position], schedule.shape.chunks);
  };
  const std::size_t first = rank_of_cycle(walk, schedule.passes.size());
  std::string chain;
  std::size_t rank = first;
  do {
    const Wait wait = walk.wait_of(rank);
    chain += text(chain.empty() ? "" : ", ", "rank ", rank, " at ", pass_name(rank, walk.at(rank)),
                  " waits for rank ", wait.rank, wait.to_receive ? " to receive for " : " to do ",
                  pass_name(wait.rank, static_cast<std::size_t>(wait.position)));
    rank = wait.rank;
  } while (rank != first);
  const char* when = sends == Sends::eager ? "" : " unless sends are buffered";
  return ScheduleFault{first, walk.at(first), text("deadlock", when, ": ", chain)};
}

std::optional<ScheduleFault> find_fault(const Schedule& schedule) {
  const PipelineShape& shape = schedule.shape;
  expect(schedule.passes.size() == static_cast<std::size_t>(shape.stages), "a schedule of ",
         shape.stages, " stages with passes of ", schedule.passes.size(), " ranks");
  for (std::size_t rank = 0; rank < schedule.passes.size(); ++rank)
    if (auto fault = fault_of_rank(schedule, rank)) return fault;
  if (auto fault = find_deadlock(schedule, Sends::eager)) return fault;
  return find_deadlock(schedule, Sends::rendezvous);
}

void validate(const Schedule& schedule) {
  if (const auto fault = find_fault(schedule))
    throw Error(ExitCode::usage, text("schedule: rank ", fault->rank, ", pass ",
                                      fault->position + 1, ": ", fault->message));
}

}  // namespace boostr
