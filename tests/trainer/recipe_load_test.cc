#include "trainer/recipe_load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainer/recipe_print.h"

namespace boostr {
namespace {

using testing::HasSubstr;

const std::string quickstart = std::string(BOOSTR_SOURCE_DIR) + "/recipes/quickstart.yaml";

TEST(RecipeLoad, ReadsTheQuickstart) {
  const Recipe recipe = load_recipe(quickstart).recipe;
  EXPECT_EQ(recipe.output, "runs/quickstart");
  EXPECT_EQ(recipe.model.llama.intermediate_size, 688);
  EXPECT_EQ(recipe.data.train.at(0).text, "/usr/share/perl/*/pod/*.pod");
  EXPECT_EQ(recipe.optimizer.lr, 3e-3);
  EXPECT_EQ(recipe.training.seed, 1234U);
  EXPECT_EQ(recipe.checkpoint.resume, "auto");
}

TEST(RecipeLoad, PrintedRecipeLoadsBackTheSame) {
  const Recipe recipe = load_recipe(quickstart).recipe;
  const LoadedRecipe again = parse_recipe("printed.yaml", resolved_yaml(recipe));
  EXPECT_EQ(again.recipe, recipe);
  EXPECT_EQ(again.diagnostics.warnings(), "");
}

TEST(RecipeLoad, NamesTheOverrideThatIsWrong) {
  const std::vector<std::string> overrides = {"training.stpes=3"};
  try {
    load_recipe(quickstart, overrides);
    FAIL() << "accepted";
  } catch (const RecipeError& e) {
    EXPECT_STREQ(
        e.what(),
        "override 'training.stpes=3': error: unknown key 'stpes' in training; did you mean "
        "'steps'?\n");
  }
}

}  // namespace
}  // namespace boostr
