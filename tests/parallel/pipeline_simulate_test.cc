#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/runtime/error.h"
#include "parallel/pipeline/simulate.h"
#include "tests/parallel/pipeline_rows.h"

namespace boostr {
namespace {

constexpr double rounded_to_4_decimals = 0.00005 + 1e-9;
constexpr StageCosts unit{.forward = 1, .backward_input = 1, .backward_weight = 1};
constexpr StageCosts uneven{.forward = 2, .backward_input = 3, .backward_weight = 1};

double largest_peak(const Simulation& simulation) {
  return std::ranges::max(simulation.peak_activations);
}

/// The longest time that a rank is busy or waits between its passes.
double cost_of(const Simulation& simulation) {
  double cost = 0;
  for (const std::vector<TimedPass>& passes : simulation.timeline)
    cost = std::max(cost, passes.back().end - passes.front().begin);
  return cost;
}

TEST(PipelineSimulation, GivesThePapersBubbleRates) {
  for (const PaperRow& row : paper_rows) {
    const auto rate = [&](std::string_view kind, int chunks = 1) {
      return simulated(kind, {row.stages, row.microbatches, chunks}, row.times).bubble_rate;
    };
    const std::string where = text(row.model, " m ", row.microbatches);
    EXPECT_NEAR(rate("1f1b"), row.one_f_one_b, rounded_to_4_decimals) << where;
    EXPECT_NEAR(rate("zb_h1"), row.zb_h1, rounded_to_4_decimals) << where;
    EXPECT_NEAR(rate("zb_h2"), row.zb_h2, rounded_to_4_decimals) << where;
    EXPECT_NEAR(rate("zb_v", 2), row.zb_v, rounded_to_4_decimals) << where;
    // Chunks of one layer; the paper does not say what it charges for their messages.
    EXPECT_NEAR(rate("interleaved_1f1b", 3), row.interleaved, 0.004) << where;
  }
}

TEST(PipelineSimulation, BubblesAreAsLongAsTheFormulasSay) {
  for (const StageCosts& t : {unit, uneven})
    for (const int p : {1, 2, 3, 4, 8})
      for (const int m : {2 * p, 3 * p, 6 * p}) {
        const double whole = t.forward + t.backward_input + t.backward_weight;
        const auto bubble = [&](std::string_view kind, int chunks = 1) {
          return cost_of(simulated(kind, {p, m, chunks}, t)) - m * whole;
        };
        const std::string where = text("p ", p, " m ", m, " T_B ", t.backward_input);
        EXPECT_NEAR(bubble("gpipe"), (p - 1) * whole, 1e-9) << where;
        EXPECT_NEAR(bubble("1f1b"), (p - 1) * whole, 1e-9) << where;
        for (const int chunks : {2, 3, 4})
          EXPECT_NEAR(bubble("interleaved_1f1b", chunks), (p - 1) * whole / chunks, 1e-9) << where;
        EXPECT_NEAR(bubble("zb_h1"), (p - 1) * (t.forward + t.backward_input - t.backward_weight),
                    1e-9)
            << where;
      }
}

TEST(PipelineSimulation, NothingWaitsWithZeroBubbleSchedulesWhereAllPassesAreEqual) {
  for (const auto& [p, m] : {std::pair{2, 4}, {4, 8}, {4, 12}, {8, 16}, {8, 24}, {16, 48}}) {
    EXPECT_NEAR(simulated("zb_h2", {p, m, 1}, unit).bubble_rate, 0, 1e-12) << p << " " << m;
    EXPECT_NEAR(simulated("zb_v", {p, m, 2}, unit).bubble_rate, 0, 1e-12) << p << " " << m;
  }
}

TEST(PipelineSimulation, FewMicrobatchesTakeTheWayThroughAllStages) {
  for (const int p : {2, 4, 8})
    for (int m = 1; m <= p; ++m) {
      const double way = m + p - 1;
      EXPECT_NEAR(simulated("1f1b", {p, m, 1}, uneven).makespan, way * 6, 1e-9);
      EXPECT_NEAR(simulated("zb_h2", {p, m, 1}, uneven).makespan, way * 5 + 1, 1e-9)
          << p << " " << m;
    }
}

TEST(PipelineSimulation, PeaksAreAsTheFormulasSay) {
  for (const int p : {1, 2, 3, 4, 8, 16}) {
    const int m = 3 * p;
    const auto peak = [&](std::string_view kind, int chunks = 1) {
      return largest_peak(simulated(kind, {p, m, chunks}, unit));
    };
    EXPECT_EQ(peak("gpipe"), m);
    EXPECT_EQ(peak("gpipe", 4), m);
    EXPECT_EQ(peak("1f1b"), p);
    EXPECT_EQ(peak("zb_h1"), p);
    EXPECT_EQ(peak("zb_h2"), 2 * p - 1);
    EXPECT_EQ(peak("zb_v", 2), p);
    for (const int chunks : {2, 3, 4})
      EXPECT_DOUBLE_EQ(peak("interleaved_1f1b", chunks), p + (p - 1) / double(chunks)) << p;
  }
}

TEST(PipelineSimulation, ActivationsAreHeldWholeUntilTheInputGradientThenInPart) {
  using enum PassKind;
  const std::vector<Pass> halves = {
      {forward, 0}, {backward_input, 0}, {forward, 1}, {backward_weight, 0}, {backward, 1}};
  EXPECT_EQ(peak_activations({.shape = {1, 2, 1}, .passes = {halves}}, 0.25),
            std::vector<double>{1.25});
  const std::vector<Pass> chunks = {{forward, 0, 0},         {forward, 0, 1},
                                    {backward_input, 0, 1},  {backward_input, 0, 0},
                                    {backward_weight, 0, 0}, {backward_weight, 0, 1}};
  EXPECT_EQ(peak_activations({.shape = {1, 1, 2}, .passes = {chunks}}, 1), std::vector<double>{1});
  const std::vector<Pass> owed = {{forward, 0},         {backward_input, 0},  {forward, 1},
                                  {backward_input, 1},  {forward, 2},         {backward_input, 2},
                                  {backward_weight, 0}, {backward_weight, 1}, {backward_weight, 2}};
  EXPECT_EQ(peak_activations({.shape = {1, 3, 1}, .passes = {owed}}, 0.25),
            std::vector<double>{1.5});
}

// Derived by hand: rank 1 is twice as slow, and messages from rank 0 take 0.5, from rank 1 0.25.
TEST(PipelineSimulation, StagesMayDiffer) {
  const std::vector<StageCosts> costs = {{1, 1, 1, 0.5}, {2, 2, 2, 0.25}};
  const Simulation result =
      simulate(make_schedule("1f1b", {.shape = {2, 2, 1}, .costs = costs}), costs);
  const std::vector<TimedPass>& first = result.timeline[0];
  const std::vector<TimedPass>& second = result.timeline[1];
  EXPECT_EQ(second[0].begin, 1.5);
  EXPECT_EQ(second[1].end, 7.5);
  EXPECT_EQ(first[2].begin, 7.75) << "the backward, after both forwards";
  EXPECT_EQ(second[3].end, 13.5);
  EXPECT_EQ(result.makespan, 15.75);
  EXPECT_DOUBLE_EQ(result.bubble_rate, (15.75 - 12) / 15.75) << "against the busiest rank's work";
}

TEST(PipelineSimulation, HandingOverInsideARankTakesNoTime) {
  const StageCosts times{1, 1, 1, 100};
  EXPECT_EQ(simulated("interleaved_1f1b", {1, 2, 2}, times).makespan, 6);
  const Simulation v = simulated("zb_v", {2, 1, 2}, times);
  const TimedPass& turn = v.timeline[1][1];
  EXPECT_EQ(turn.pass.chunk, 1);
  EXPECT_EQ(turn.begin, v.timeline[1][0].end) << "rank 1 holds virtual stages 1 and 2";
}

TEST(PipelineSimulation, MeanCostsAreThoseItWasMadeWith) {
  for (const char* kind : {"zb_h1", "1f1b", "zb_v"}) {
    const PipelineShape shape{4, 9, schedule_kind(kind).least_chunks};
    const std::vector<StageCosts> costs = even_costs(
        {.forward = 8, .backward_input = 6, .backward_weight = 6, .communication = 0.5}, shape);
    const Schedule schedule = make_schedule(kind, {.shape = shape, .costs = costs});
    const std::vector<StageCosts> found = mean_costs(schedule, simulate(schedule, costs).timeline);
    ASSERT_EQ(found.size(), costs.size());
    for (std::size_t i = 0; i < costs.size(); ++i) {
      EXPECT_NEAR(found[i].forward, costs[i].forward, 1e-9) << kind;
      EXPECT_NEAR(found[i].backward_input, costs[i].backward_input, 1e-9) << kind;
      EXPECT_NEAR(found[i].backward_weight, costs[i].backward_weight, 1e-9) << kind;
      EXPECT_NEAR(found[i].communication, 0.5, 1e-9) << kind;
    }
  }
}

}  // namespace
}  // namespace boostr
