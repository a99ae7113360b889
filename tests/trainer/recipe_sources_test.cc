#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/trainer/recipe_testing.h"
#include "trainer/recipe_print.h"

namespace boostr {
namespace {

using namespace recipe_testing;
using testing::ElementsAre;
using testing::HasSubstr;

std::string file_refusal(const std::string& path, const std::vector<std::string>& overrides = {}) {
  try {
    load_recipe(path, overrides);
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

Recipe with_overrides(const std::vector<std::string>& overrides) {
  return parse_recipe("r.yaml", valid_recipe, overrides).recipe;
}

TEST(RecipeOverrides, SetWhatTheRecipeSaysAndWhatItDoesNot) {
  const Recipe recipe =
      with_overrides({"training.steps=77", "precision.compute=f64", "output=runs/a b: c",
                      "optimizer.betas=[0.8, 0.9]", "parallelism.bucket_bytes=2Mi"});
  EXPECT_EQ(recipe.training.steps, 77);
  EXPECT_EQ(recipe.precision.compute, "f64");
  EXPECT_EQ(recipe.output, "runs/a b: c");
  EXPECT_THAT(recipe.optimizer.betas, ElementsAre(0.8, 0.9));
  EXPECT_EQ(recipe.parallelism.bucket_bytes, 2 << 20);
}

TEST(RecipeOverrides, ReachIntoListsAndAppend) {
  const Recipe recipe =
      with_overrides({"data.train.0.weight=2", "data.train.1.jsonl=*.jsonl",
                      "optimizer.groups.0.pattern=*norm*", "optimizer.groups.0.lr_factor=0"});
  ASSERT_EQ(recipe.data.train.size(), 2U);
  EXPECT_EQ(recipe.data.train[0].weight, 2);
  EXPECT_EQ(recipe.data.train[1].jsonl, "*.jsonl");
  EXPECT_EQ(recipe.optimizer.groups.at(0).lr_factor, 0);
}

TEST(RecipeOverrides, MergeMapsAndReplaceLists) {
  const Recipe recipe =
      with_overrides({"training={steps: 3}", "data.train=[{text: a}, {text: b}]"});
  EXPECT_EQ(recipe.training.steps, 3);
  EXPECT_EQ(recipe.training.seq_len, 32);
  EXPECT_EQ(recipe.data.train.size(), 2U);
}

TEST(RecipeOverrides, TheLastOneWins) {
  EXPECT_EQ(with_overrides({"training.steps=3", "training.steps=4"}).training.steps, 4);
}

TEST(RecipeOverrides, AreRefusedByTheirOwnWords) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"training.stpes=3", "unknown key 'stpes' in training; did you mean 'steps'?"},
      {"training.steps=0", "training.steps: expected an integer >= 1, got 0"},
      {"training.steps=", "there is no value after training.steps="},
      {"training.steps", "expected key.path=value, as in training.steps=100"},
      {"=3", "expected key.path=value, as in training.steps=100"},
      {"training.steps.x=3", "training.steps is a single value, it has no key 'x'"},
      {"data.train.5.text=x",
       "data.train is a list of 1; expected an index from 0 to 1 after it, got '5'"},
      {"data.train.first.text=x",
       "data.train is a list of 1; expected an index from 0 to 1 after it, got 'first'"},
      {"optimizer={lr: 1", "not valid YAML: a { is not closed"},
      {"data.train.0={text: &a b}",
       "a recipe has no anchors (&name); share settings with `extends:`"},
      {"training..steps=3",
       "unknown key '' in training; expected one of steps, seq_len, micro_batch_size, "
       "global_batch_size, max_norm, seed, non_finite, exit_after, validation_interval, "
       "validation_batches, threads"},
      {"steps=3", "unknown key 'steps' at the top level; did you mean 'training.steps'?"},
      {"extends=base.yaml",
       "unknown key 'extends' at the top level; expected one of output, model, data, tokenizer, "
       "optimizer, lr_schedule, training, precision, parallelism, activation_checkpoint, "
       "checkpoint, metrics, communication"},
      {"training.global_batch_size=7",
       "training.global_batch_size: 7 is not divisible by micro_batch_size 2"},
      {"model.vocab_size=8",
       "model.vocab_size: the byte tokenizer has 256 tokens, vocab_size is 8; set it to 256 or "
       "more"}};
  for (const auto& [argument, message] : cases) {
    EXPECT_EQ(refusal(valid_recipe, {argument}),
              "override '" + argument + "': error: " + message + "\n");
  }
}

TEST(RecipeOverrides, ErrorsComeAfterThoseOfTheFile) {
  EXPECT_THAT(headlines(refusal(with_change("metrix: 1"), {"output=", "a=1"})),
              ElementsAre(HasSubstr("r.yaml:16:1:"), HasSubstr("override 'output='"),
                          HasSubstr("override 'a=1'")));
}

TEST(RecipeExtends, MergesMapsReplacesListsAndRemembersWhereValuesComeFrom) {
  const Folder folder;
  const std::string base = folder.write("base/base.yaml", valid_recipe);
  const std::string path = folder.write("mine.yaml",
                                        "extends: base/base.yaml\ntraining: {steps: 99}\ndata: "
                                        "{train: [{jsonl: b}, {jsonl: c}]}\noptimizer:\n");
  const LoadedRecipe loaded = load_recipe(path, std::vector<std::string>{"metrics.interval=5"});
  EXPECT_EQ(loaded.recipe.training.steps, 99);
  EXPECT_EQ(loaded.recipe.training.seq_len, 32);
  EXPECT_EQ(loaded.recipe.data.train.size(), 2U);
  EXPECT_EQ(loaded.recipe.data.train[0].text, "");
  const auto origin = [&](const std::string& key) {
    return loaded.diagnostics.describe(loaded.places.at(key).value);
  };
  EXPECT_EQ(origin("training.steps"), path + ":2");
  EXPECT_EQ(origin("training.seq_len"), base + ":13");
  EXPECT_EQ(origin("metrics.interval"), "override 'metrics.interval=5'");
}

TEST(RecipeExtends, ChainsAndReportsErrorsInEveryFile) {
  const Folder folder;
  folder.write("a.yaml", with_change("metrix: 1"));
  folder.write("b.yaml", "extends: a.yaml\ntraining: {stpes: 1}\n");
  const std::string path = folder.write("c.yaml", "extends: b.yaml\nprecision: {compute: f8}\n");
  EXPECT_THAT(headlines(file_refusal(path)),
              ElementsAre(HasSubstr("c.yaml:2:22: error: precision.compute"),
                          HasSubstr("b.yaml:2:12: error: unknown key 'stpes'"),
                          HasSubstr("a.yaml:16:1: error: unknown key 'metrix'")));
}

TEST(RecipeExtends, RefusesCyclesAndMissingFiles) {
  const Folder folder;
  folder.write("a.yaml", "extends: b.yaml\n");
  folder.write("b.yaml", "extends: ./a.yaml\n");
  EXPECT_THAT(file_refusal(folder.path() + "/a.yaml"), HasSubstr("b.yaml:1:10: error: extends: "));
  EXPECT_THAT(file_refusal(folder.path() + "/a.yaml"), HasSubstr("leads back to itself"));
  const std::string self = folder.write("self.yaml", "extends: self.yaml\n");
  EXPECT_THAT(file_refusal(self), HasSubstr("leads back to itself"));
  const std::string lost = folder.write("lost.yaml", "output: x\nextends: nowhere.yaml\n");
  EXPECT_THAT(file_refusal(lost), HasSubstr("lost.yaml:2:10: error: extends: cannot read "));
}

TEST(RecipeFile, SaysWhyItCannotBeRead) {
  const Folder folder;
  EXPECT_EQ(file_refusal(folder.path()),
            "cannot read the recipe '" + folder.path() + "': it is a directory");
  EXPECT_EQ(file_refusal("nowhere.yaml"),
            "cannot read the recipe 'nowhere.yaml': No such file or directory");
  EXPECT_THAT(file_refusal("/dev/zero"), HasSubstr("at most 1 MiB"));
  EXPECT_THAT(file_refusal("/dev/null"), HasSubstr("/dev/null:1:1: error: the recipe is empty"));
}

}  // namespace
}  // namespace boostr
