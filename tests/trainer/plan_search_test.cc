#include "trainer/plan/plan_search.h"

#include <gtest/gtest.h>

#include <limits>

#include "trainer/plan/layout_bounds.h"
#include "trainer/recipe_load.h"

namespace boostr {
namespace {

/// A model whose kernels are long enough that what they compute counts, with these sections.
Recipe recipe_of(const std::string& changes) {
  return parse_recipe("r.yaml", text(R"(
output: /nonexistent/run
model: {vocab_size: 32000, hidden_size: 2048, num_hidden_layers: 8, num_attention_heads: 16,
  num_key_value_heads: 8, intermediate_size: 5632}
data: {train: [{text: /nonexistent/text}]}
training: {steps: 1, seq_len: 2048, micro_batch_size: 1, global_batch_size: 64}
)",
                                     changes))
      .recipe;
}

struct Case {
  int ranks = 1;
  std::string changes;
};

class Bounds : public ::testing::TestWithParam<Case> {};

TEST_P(Bounds, LieBelowThePlanAndNotFarBelow) {
  const DeviceModel device = known_device("h200");
  const MeshedRecipe meshed(recipe_of(GetParam().changes), GetParam().ranks);
  const PipelineLayout layout = planned_layout(meshed.recipe, meshed.mesh);
  const Plan plan = make_plan(meshed, layout, device, 1);
  LayoutBounds bounds(meshed.recipe.model, device, 1);
  const LayoutBounds::Least least = bounds.of(meshed, layout);
  EXPECT_LE(least.seconds, plan.step_seconds);
  EXPECT_GT(least.seconds, 0.9 * plan.step_seconds);
  EXPECT_LE(least.bytes, plan.most_bytes);
  EXPECT_GT(least.bytes, 0.8 * plan.most_bytes);
}

std::vector<Case> cases() {
  std::vector<Case> all = {
      {1, ""},
      {1, "precision: {compute: f32}\noptimizer: {name: SGD}\n"},
      {1, "precision: {compute: f16}\n"},
      {4, "parallelism: {tensor_parallel_degree: 4, sequence_parallel: true}\n"},
      {8,
       "parallelism: {tensor_parallel_degree: 2, pipeline_parallel_degree: 4}\n"
       "activation_checkpoint: {mode: full, layers: \"0-2\"}\n"}};
  for (const int stage : {0, 1, 2, 3})
    for (const char* mode : {"none", "selective", "full"})
      all.push_back({4, text("parallelism: {zero_stage: ", stage,
                             "}\nactivation_checkpoint: {mode: ", mode, "}\n")});
  for (const char* schedule : {"gpipe", "1f1b", "zb_h1", "zb_v", "interleaved_1f1b", "auto"})
    for (const char* mode : {"none", "full"})
      all.push_back({4, text("parallelism: {pipeline_parallel_degree: 4, "
                             "pipeline_parallel_schedule: ",
                             schedule, "}\nactivation_checkpoint: {mode: ", mode, "}\n")});
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, Bounds, ::testing::ValuesIn(cases()));

TEST(PlanOfAuto, HasTheScheduleThatARunSettlesOn) {
  // Long sequences: attention has no W, of which the first schedule's estimates know nothing.
  const auto step_seconds = [](const char* schedule) {
    Recipe recipe = recipe_of("parallelism: {pipeline_parallel_degree: 4}\n");
    recipe.training.seq_len = 32768;
    recipe.training.global_batch_size = 16;
    recipe.parallelism.pipeline_parallel_schedule = schedule;
    return make_plan(recipe, 4, known_device("h200")).step_seconds;
  };
  const double settled = step_seconds("auto");
  for (const char* kind : {"1f1b", "zb_h1"}) EXPECT_LE(settled, step_seconds(kind)) << kind;
}

TEST(BestLayouts, AreTheFirstOfAll) {
  const DeviceModel device = known_device("a100");
  const Plan plan = make_plan(recipe_of(""), 4, device);
  const auto all = best_layouts(plan, device, 1, std::numeric_limits<std::size_t>::max());
  const auto best = best_layouts(plan, device, 1, 5);
  ASSERT_GT(all.size(), 50U);
  ASSERT_EQ(best.size(), 5U);
  for (std::size_t i = 0; i < best.size(); ++i) {
    EXPECT_EQ(best[i].overrides, all[i].overrides);
    EXPECT_EQ(best[i].plan.step_seconds, all[i].plan.step_seconds);
  }
}

}  // namespace
}  // namespace boostr
