#include <gtest/gtest.h>

#include <map>
#include <set>
#include <tuple>

#include "parallel/pipeline/csv.h"
#include "parallel/pipeline/validate.h"
#include "parallel/pipeline/warm_up.h"
#include "tests/parallel/pipeline_rows.h"

namespace boostr {
namespace {

using Lengths = std::vector<std::size_t>;

Lengths warm_up_of(std::string_view kind, const PipelineShape& shape) {
  return warm_up(schedule_of(kind, shape));
}

TEST(WarmUp, IsTheForwardsBeforeTheFirstBackward) {
  EXPECT_EQ(warm_up_of("1f1b", {4, 8, 1}), (Lengths{4, 3, 2, 1}));
  EXPECT_EQ(warm_up_of("zb_h1", {4, 8, 1}), (Lengths{4, 3, 2, 1}));
  EXPECT_EQ(warm_up_of("zb_h2", {4, 8, 1}), (Lengths{7, 5, 3, 1}));
  EXPECT_EQ(warm_up_of("gpipe", {4, 8, 1}), (Lengths{8, 8, 8, 8}));
  EXPECT_EQ(warm_up_of("gpipe", {1, 3, 1}), (Lengths{3}));
}

TEST(WarmUp, EndsWhereForwardsWaitForABackward) {
  // Rank 1's F1.0 waits for rank 0's, which comes after a backward.
  const Schedule schedule = parse_schedule_csv(
      "placement,v\n"
      "F0.0,F0.1,BW0.1,F1.0,F1.1,BW1.1,BW0.0,BW1.0\n"
      "F0.0,F0.1,F1.0,F1.1,BW0.1,BW0.0,BW1.1,BW1.0\n",
      "v.csv");
  EXPECT_EQ(warm_up(schedule), (Lengths{2, 2}));
}

TEST(WarmUp, EndsWhereAMessageWouldWaitTooLong) {
  const Schedule schedule = parse_schedule_csv(
      "F0,F1,F2,F3,F4,BW0,BW1,BW2,BW3,BW4\n"
      "F0,BW0,F1,BW1,F2,BW2,F3,BW3,F4,BW4\n",
      "early.csv");
  // F0 is taken, F1 and F2 may wait; F3 is made but cannot be delivered.
  EXPECT_EQ(warm_up(schedule), (Lengths{3, 1}));
  EXPECT_TRUE(untaken_in_warm_up(schedule, {3, 1}, 0).empty());
  EXPECT_EQ(untaken_in_warm_up(schedule, {3, 1}, 1),
            (std::vector<Pass>{{.microbatch = 1}, {.microbatch = 2}}));
}

/// Whether every rank can run its warm-up, if a message is taken only by the pass that wants it.
bool runs_alone(const Schedule& schedule, const Lengths& lengths) {
  Lengths done(lengths.size());
  std::set<std::tuple<int, int, int>> ran;  // rank, chunk, microbatch
  std::map<std::pair<int, int>, std::vector<std::tuple<int, int, int>>> sent;
  const auto can_run = [&](int rank, const Pass& pass) {
    const auto source = schedule.source(rank, pass);
    return !source || ran.contains({source->rank, source->chunk, pass.microbatch});
  };
  const auto can_deliver = [&](int rank, const Pass& pass) {
    const auto to = schedule.destination(rank, pass);
    if (!to || to->rank == rank) return true;
    int waiting = 0;
    for (const auto& message : sent[{rank, to->rank}]) waiting += ran.contains(message) ? 0 : 1;
    if (waiting >= most_waiting_messages) return false;
    sent[{rank, to->rank}].push_back({to->rank, to->chunk, pass.microbatch});
    return true;
  };
  for (bool moved = true; moved;) {
    moved = false;
    for (int rank = 0; rank < schedule.shape.stages; ++rank) {
      std::size_t& next = done[static_cast<std::size_t>(rank)];
      if (next == lengths[static_cast<std::size_t>(rank)]) continue;
      const Pass& pass = schedule.passes[static_cast<std::size_t>(rank)][next];
      if (!can_run(rank, pass) || !can_deliver(rank, pass)) continue;
      ran.insert({rank, pass.chunk, pass.microbatch});
      ++next;
      moved = true;
    }
  }
  return done == lengths;
}

TEST(WarmUp, OfEveryKindRunsByItself) {
  for (const ScheduleKind& kind : schedule_kinds())
    for (int stages = 1; stages <= 8; ++stages)
      for (const int microbatches : {1, 2, 3, 5, 8, 17}) {
        const Schedule schedule = schedule_of(kind.name, {stages, microbatches, kind.least_chunks});
        const Lengths lengths = warm_up(schedule);
        EXPECT_TRUE(runs_alone(schedule, lengths))
            << kind.name << " " << stages << " " << microbatches;
        EXPECT_GT(lengths.front(), 0U);
      }
}

}  // namespace
}  // namespace boostr
