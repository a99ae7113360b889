#include "parallel/pipeline/warm_up.h"

#include <algorithm>
#include <map>
#include <optional>
#include <span>

#include "parallel/pipeline/validate.h"

namespace boostr {
namespace {

/// The first passes of every rank.
class Beginnings {
 public:
  explicit Beginnings(const Schedule& schedule) : schedule_(schedule) {
    for (const std::vector<Pass>& passes : schedule.passes) {
      const auto end = std::ranges::find_if(
          passes, [](const Pass& pass) { return pass.kind != PassKind::forward; });
      lengths_.push_back(static_cast<std::size_t>(end - passes.begin()));
    }
  }

  /// Shortens one that needs what lies beyond another; whether there was one.
  bool shorten() {
    bool shortened = false;
    for (int rank = 0; rank < schedule_.shape.stages; ++rank) {
      const std::size_t length = possible_length(rank);
      shortened = shortened || length < lengths_[static_cast<std::size_t>(rank)];
      lengths_[static_cast<std::size_t>(rank)] = length;
    }
    return shortened;
  }

  const std::vector<std::size_t>& lengths() const { return lengths_; }

 private:
  std::span<const Pass> passes(int rank) const {
    return std::span(schedule_.passes[static_cast<std::size_t>(rank)])
        .first(lengths_[static_cast<std::size_t>(rank)]);
  }
  bool contains(StagePlace place, int microbatch) const {
    const Pass wanted{.kind = PassKind::forward, .microbatch = microbatch, .chunk = place.chunk};
    return std::ranges::find(passes(place.rank), wanted) != passes(place.rank).end();
  }

  std::size_t possible_length(int rank) const {
    std::map<int, std::vector<bool>> taken;  // by receiver: of each message sent
    const std::span<const Pass> all = passes(rank);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const std::optional<StagePlace> source = schedule_.source(rank, all[i]);
      if (source && !contains(*source, all[i].microbatch)) return i;
      const std::optional<StagePlace> to = schedule_.destination(rank, all[i]);
      if (!to || to->rank == rank) continue;
      std::vector<bool>& sent = taken[to->rank];
      if (sent.size() >= most_waiting_messages && !sent[sent.size() - most_waiting_messages])
        return i;
      sent.push_back(contains(*to, all[i].microbatch));
    }
    return all.size();
  }

  const Schedule& schedule_;
  std::vector<std::size_t> lengths_;
};

}  // namespace

std::vector<std::size_t> warm_up(const Schedule& schedule) {
  Beginnings beginnings(schedule);
  while (beginnings.shorten()) {
  }
  return beginnings.lengths();
}

std::vector<Pass> untaken_in_warm_up(const Schedule& schedule,
                                     const std::vector<std::size_t>& warm_up, int rank) {
  const auto first_passes = [&](int of) {
    return std::span(schedule.passes[static_cast<std::size_t>(of)])
        .first(warm_up[static_cast<std::size_t>(of)]);
  };
  std::vector<Pass> untaken;
  for (int sender = 0; sender < schedule.shape.stages; ++sender)
    for (const Pass& pass : first_passes(sender)) {
      const std::optional<StagePlace> to = schedule.destination(sender, pass);
      if (sender == rank || !to || to->rank != rank) continue;
      const Pass taking{.microbatch = pass.microbatch, .chunk = to->chunk};
      if (std::ranges::find(first_passes(rank), taking) == first_passes(rank).end())
        untaken.push_back(taking);
    }
  return untaken;
}

}  // namespace boostr
