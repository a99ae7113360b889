#include "trainer/plan/rank_step.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "kernels/runtime/profiler.h"
#include "parallel/comm/threads.h"
#include "trainer/plan/plan.h"
#include "trainer/recipe_load.h"

namespace boostr {
namespace {

/// Calls of products and attention, which no rank has for its own reasons.
std::map<std::string, double> calls(const Timeline& timeline, double times = 1) {
  std::map<std::string, double> calls;
  for (const TimelineEvent& event : timeline.events()) {
    const std::string name(event.name);
    if (name == "gemm" || name.starts_with("attention")) calls[name] += times;
  }
  return calls;
}

TEST(RankStep, HasPiecesThatStandForAWholeStep) {
  const Recipe recipe = parse_recipe("r.yaml", R"(
output: /nonexistent/run
model: {vocab_size: 256, hidden_size: 32, num_hidden_layers: 3, num_attention_heads: 2,
  num_key_value_heads: 1, intermediate_size: 64}
data: {train: [{text: /nonexistent/text}]}
training: {steps: 1, seq_len: 8, micro_batch_size: 2, global_batch_size: 10, threads: 1}
parallelism: {pipeline_parallel_degree: 2, pipeline_parallel_schedule: zb_h1}
)")
                            .recipe;
  run_ranks(2, [&](Communicator& world) {
    const MeshedRecipe meshed(recipe, 2);
    RankRequest request{meshed.recipe, meshed.mesh, planned_layout(meshed.recipe, meshed.mesh),
                        world.rank(), 1};
    RankStep rank(request, world);
    Timeline timeline;
    const KernelProfiler profiler(timeline);
    std::map<std::string, double> pieces;
    rank.step([&](const RankStep::Place& place, const std::function<void()>& run) {
      timeline.restart(0);
      run();
      const bool update = place.piece == RankStep::Piece::update;
      const double times = update ? 1 : double(rank.microbatches()[place.microbatch]);
      for (const auto& [name, count] : calls(timeline, times)) pieces[name] += count;
    });
    timeline.restart(0);
    rank.whole_step();
    EXPECT_EQ(calls(timeline), pieces);
    EXPECT_EQ(pieces.at("attention"), 5 * (world.rank() == 0 ? 2 : 1));
  });
}

TEST(Plan, TakesTheStepFactorOfItsDevice) {
  const Recipe recipe = parse_recipe("r.yaml", R"(
output: /nonexistent/run
model: {vocab_size: 256, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2,
  num_key_value_heads: 1, intermediate_size: 64}
data: {train: [{text: /nonexistent/text}]}
training: {steps: 1, seq_len: 8}
)")
                            .recipe;
  DeviceModel device = known_device("h200");
  const double seconds = make_plan(recipe, 1, device).step_seconds;
  device.step_factor = 1.5;
  EXPECT_DOUBLE_EQ(make_plan(recipe, 1, device).step_seconds, 1.5 * seconds);
}

}  // namespace
}  // namespace boostr
