#include "trainer/recipe_load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/recipe_testing.h"

namespace boostr {
namespace {

using namespace recipe_testing;

TEST(RecipeLoad, ReadsTheQuickstart) {
  const Recipe recipe = load_recipe(quickstart).recipe;
  EXPECT_EQ(recipe.output, "runs/quickstart");
  EXPECT_EQ(recipe.model.llama.intermediate_size, 688);
  EXPECT_EQ(recipe.data.train.at(0).text, "/usr/share/perl/*/pod/*.pod");
  EXPECT_EQ(recipe.data.validation_fraction, 0.02);
  EXPECT_EQ(recipe.optimizer.lr, 3e-3);
  EXPECT_EQ(recipe.training.seed, 1234U);
  EXPECT_EQ(recipe.precision.compute, "bf16");
  EXPECT_EQ(recipe.checkpoint.resume, "auto");
}

TEST(RecipeLoad, QuickstartRaisesNoWarnings) {
  EXPECT_EQ(load_recipe(quickstart).diagnostics.warnings(), "");
}

TEST(RecipeLoad, ChecksTheVocabularyOnlyWhereTextIsTokenized) {
  const std::string tokens = with_change("    - tokens: a.u16");
  const std::vector<std::string> small = {"model.vocab_size=100"};
  EXPECT_EQ(refusal(tokens, small), "");
  EXPECT_NE(refusal(valid_recipe, small), "");
}

TEST(RecipeLoad, TakesHuggingFaceSizesWithAHeadDimOfTheirOwn) {
  const std::vector<std::string> overrides = {"model.num_attention_heads=5", "model.head_dim=12"};
  EXPECT_EQ(refusal(valid_recipe, overrides), "");
}

}  // namespace
}  // namespace boostr
