#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/runtime/error.h"
#include "parallel/pipeline/validate.h"
#include "tests/parallel/pipeline_rows.h"

namespace boostr {
namespace {

using enum PassKind;

/// The most microbatches that a schedule may hold at a time (arXiv 2401.10241, table 2), even if
/// all of a microbatch is kept until its weight gradients are made.
double memory_bound(std::string_view kind, const PipelineShape& shape) {
  const int p = shape.stages, m = shape.microbatches;
  if (kind == "gpipe") return m;
  if (kind == "zb_h2") return std::min(m, 2 * p - 1);
  if (kind == "interleaved_1f1b") return std::min<double>(m, p + (p - 1.0) / shape.chunks);
  return std::min(m, p);
}

std::vector<int> chunks_of(const ScheduleKind& kind, int stages) {
  if (kind.least_chunks == kind.most_chunks) return {kind.least_chunks};
  return {kind.least_chunks, stages % 2 == 0 ? 4 : 3};
}

void expect_sound(const ScheduleKind& kind, const PipelineShape& shape) {
  const Schedule schedule = schedule_of(kind.name, shape);
  const auto fault = find_fault(schedule);
  ASSERT_FALSE(fault) << kind.name << " p " << shape.stages << " m " << shape.microbatches
                      << " chunks " << shape.chunks << " rank " << fault->rank << " pass "
                      << fault->position << ": " << fault->message;
  ASSERT_LE(std::ranges::max(peak_activations(schedule, 1)), memory_bound(kind.name, shape) + 1e-9)
      << kind.name << " p " << shape.stages << " m " << shape.microbatches;
}

TEST(PipelineValidation, EveryFixedKindIsSoundForAllSizes) {
  for (const ScheduleKind& kind : schedule_kinds())
    for (int stages = 1; kind.order != nullptr && stages <= 16; ++stages)
      for (const int chunks : chunks_of(kind, stages))
        for (int microbatches = 1; microbatches <= 64; ++microbatches)
          expect_sound(kind, {stages, microbatches, chunks});
}

std::string fault_of(Schedule schedule) {
  try {
    validate(schedule);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    return e.what();
  }
  return "";
}

Schedule two_ranks(std::vector<Pass> first, std::vector<Pass> second) {
  return {.shape = {2, 2, 1}, .passes = {std::move(first), std::move(second)}};
}

const std::vector<Pass> last_rank = {{forward, 0}, {backward, 0}, {forward, 1}, {backward, 1}};

TEST(PipelineValidation, SaysWhatIsMissingDoubledOrOutOfOrderAndWhere) {
  const std::vector<Pass> good = {{forward, 0}, {forward, 1}, {backward, 0}, {backward, 1}};
  ASSERT_EQ(fault_of(two_ranks(good, last_rank)), "");
  const std::vector<std::pair<std::vector<Pass>, std::string>> cases = {
      {{{forward, 0}, {forward, 1}, {backward, 0}}, "rank 0, pass 4: B1 is missing"},
      {{{forward, 0}, {forward, 1}, {backward_input, 0}, {backward, 1}},
       "rank 0, pass 5: W0 is missing"},
      {{{forward, 0}, {forward, 0}}, "rank 0, pass 2: F0 is doubled: pass 1 does it already"},
      {{{forward, 0}, {backward, 0}, {backward_weight, 0}},
       "rank 0, pass 3: W0 is doubled: pass 2 does it already"},
      {{{forward, 0}, {backward_weight, 0}}, "rank 0, pass 2: W0 comes before its B0"},
      {{{backward, 1}}, "rank 0, pass 1: BW1 comes before its F1"},
      {{{forward, 2}}, "rank 0, pass 1: F2 is of no microbatch: there are 2"},
      {{{forward, 0, 1}}, "rank 0, pass 1: F0.1 is of no chunk: there are 1"}};
  for (const auto& [passes, message] : cases)
    EXPECT_EQ(fault_of(two_ranks(passes, last_rank)), "schedule: " + message);
}

TEST(PipelineValidation, NamesTheRanksThatWouldWaitForEachOther) {
  const std::vector<Pass> sequential = {{forward, 1}, {backward, 1}, {forward, 0}, {backward, 0}};
  EXPECT_EQ(fault_of(two_ranks(sequential, last_rank)),
            "schedule: rank 0, pass 2: deadlock: rank 0 at BW1 waits for rank 1 to do BW1, "
            "rank 1 at F0 waits for rank 0 to do F0");
}

// Six forwards before the first backward, and a receiver that takes them one by one.
TEST(PipelineValidation, BoundsTheMessagesThatWaitToBeSent) {
  Schedule schedule{.shape = {2, 6, 1}, .passes = {{}, {}}};
  for (int i = 0; i < 6; ++i) schedule.passes[0].push_back({forward, i});
  for (int i = 0; i < 6; ++i) schedule.passes[0].push_back({backward, i});
  for (int i = 0; i < 6; ++i) {
    schedule.passes[1].push_back({forward, i});
    schedule.passes[1].push_back({backward, i});
  }
  EXPECT_FALSE(find_deadlock(schedule, Sends::eager));
  EXPECT_EQ(fault_of(schedule),
            "schedule: rank 0, pass 6: deadlock unless sends are buffered: rank 0 at F5 waits for "
            "rank 1 to receive for F3, rank 1 at BW2 waits for rank 0 to receive for BW0");
}

}  // namespace
}  // namespace boostr
