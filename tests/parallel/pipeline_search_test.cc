#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/runtime/error.h"
#include "parallel/pipeline/search.h"
#include "parallel/pipeline/validate.h"
#include "tests/parallel/pipeline_rows.h"

namespace boostr {
namespace {

ScheduleRequest request_of(const PaperRow& row, double limit, int chunks = 1) {
  const PipelineShape shape{row.stages, row.microbatches, chunks};
  return {.shape = shape, .costs = even_costs(row.times, shape), .memory_limit = limit};
}

Simulation searched(const ScheduleRequest& request) {
  return simulate(make_schedule("auto", request), request.costs, request.weight_memory);
}

double rate_of(std::string_view kind, const ScheduleRequest& request) {
  return simulate(make_schedule(kind, request), request.costs).bubble_rate;
}

TEST(PipelineSearch, ReachesThePapersRatesAtTwiceTheMemory) {
  for (const PaperRow& row : paper_rows) {
    const Simulation found = searched(request_of(row, 2));
    EXPECT_LE(found.bubble_rate, row.zb_2p + 0.0005) << row.model << " m " << row.microbatches;
    EXPECT_LE(std::ranges::max(found.peak_activations), 2 * row.stages);
  }
}

TEST(PipelineSearch, IsNoWorseThanWhatFitsTheMemoryOf1f1b) {
  for (const PaperRow& row : paper_rows) {
    EXPECT_LE(searched(request_of(row, 1)).bubble_rate, rate_of("zb_h1", request_of(row, 1)));
    EXPECT_LE(searched(request_of(row, 1, 2)).bubble_rate, rate_of("zb_v", request_of(row, 1, 2)));
  }
}

// The last rank's weight gradients are owed while its last backward goes back to rank 0; where all
// of a microbatch is kept for them, memory bounds how many.
TEST(PipelineSearch, ComesNearTheBoundThatMemorySets) {
  for (const PaperRow& row : paper_rows) {
    ScheduleRequest request = request_of(row, 2);
    request.weight_memory = 1;
    const StageCosts& t = row.times;
    const double work = row.microbatches * (t.forward + t.backward_input + t.backward_weight);
    const double way = t.forward + t.backward_input + 2 * t.communication;
    const double bubble = (row.stages - 1) * way - (2 * row.stages - 1) * t.backward_weight;
    const double bound = bubble / (work + bubble), found = searched(request).bubble_rate;
    EXPECT_GE(found, bound - 1e-9) << row.model << " m " << row.microbatches;
    EXPECT_LE(found, bound + 0.006) << row.model << " m " << row.microbatches;
  }
}

TEST(PipelineSearch, FindsSoundSchedulesOfAllSizes) {
  for (const int stages : {1, 2, 3, 7, 16})
    for (const int microbatches : {1, 2, 5, 16, 40})
      for (const double limit : {0.5, 1.0, 1.7, 3.0}) {
        const PipelineShape shape{stages, microbatches, 1};
        const ScheduleRequest request{
            .shape = shape, .costs = even_costs({3, 4, 2, 0.5}, shape), .memory_limit = limit};
        const double most = limit * one_f_one_b_peak(shape);
        if (most < 1) continue;
        const Schedule schedule = make_schedule("auto", request);
        const std::string where = text("p ", stages, " m ", microbatches, " limit ", limit);
        const auto fault = find_fault(schedule);
        EXPECT_FALSE(fault) << where << ": " << fault->message;
        EXPECT_LE(std::ranges::max(peak_activations(schedule)), most + 1e-9) << where;
      }
}

TEST(PipelineSearch, MakesUseOfStagesThatDiffer) {
  ScheduleRequest request{.shape = {4, 16, 1}, .memory_limit = 2};
  request.costs = {{3, 3, 2, 0.2}, {2, 2, 1, 0.2}, {2, 2, 1, 0.2}, {3, 4, 2, 0.2}};
  const double found = searched(request).bubble_rate;
  EXPECT_LT(found, rate_of("zb_h2", request));
  EXPECT_LT(found, rate_of("zb_h1", request) / 2);
}

TEST(PipelineSearch, EndsWherePassesTakeNoTime) {
  for (const StageCosts& costs :
       {StageCosts{1, 0, 1, 0}, StageCosts{0, 1, 0, 0}, StageCosts{0, 0, 1, 0}}) {
    const PipelineShape shape{4, 8, 1};
    EXPECT_FALSE(
        find_fault(make_schedule("auto", {.shape = shape, .costs = even_costs(costs, shape)})));
  }
}

TEST(PipelineSearch, GivesTheSameScheduleAgain) {
  const ScheduleRequest request = request_of(paper_rows[0], 1.5);
  EXPECT_EQ(make_schedule("auto", request), make_schedule("auto", request));
}

TEST(PipelineSearch, SaysHowMuchMemoryIsNeeded) {
  const PipelineShape shape{4, 8, 3};
  const ScheduleRequest request{.shape = shape, .costs = even_costs({1, 1, 1, 0}, shape)};
  try {
    make_schedule("auto", request);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    EXPECT_STREQ(e.what(),
                 "no schedule of 3 chunks per rank keeps within 1 times the activation memory of "
                 "1f1b; the least is 1.25");
  }
}

}  // namespace
}  // namespace boostr
