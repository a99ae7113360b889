#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/recipe_testing.h"

namespace boostr {
namespace {

using namespace recipe_testing;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct Broken {
  std::string change;
  std::vector<std::string> headlines;
};

std::vector<Broken> broken_recipes() {
  std::ifstream file(source_dir + "/tests/trainer/broken_recipes.txt");
  std::vector<Broken> recipes;
  bool in_change = false;
  for (std::string line; std::getline(file, line);) {
    if (line == "<<<") {
      recipes.emplace_back();
      in_change = true;
    } else if (line == ">>>") {
      in_change = false;
    } else if (in_change) {
      std::string& change = recipes.back().change;
      change += (change.empty() ? "" : "\n") + line;
    } else if (!line.empty() && !line.starts_with('#')) {
      recipes.back().headlines.push_back("r.yaml:" + line);
    }
  }
  return recipes;
}

TEST(RecipeErrors, EachBrokenRecipeIsToldExactlyWhatIsWrong) {
  const std::vector<Broken> recipes = broken_recipes();
  EXPECT_GE(recipes.size(), 140U);
  for (const Broken& broken : recipes) {
    EXPECT_THAT(broken.headlines, Not(IsEmpty())) << broken.change;
    EXPECT_THAT(headlines(refusal(with_change(broken.change))), ElementsAreArray(broken.headlines))
        << broken.change;
  }
}

TEST(RecipeErrors, TheRecipeThatIsBrokenIsValid) { EXPECT_EQ(refusal(valid_recipe), ""); }

TEST(RecipeErrors, ShowTheLineAndACaret) {
  EXPECT_EQ(refusal(with_change("training: {steps: 1, seq_len: 8, max_nrom: 1.0}")),
            "r.yaml:11:34: error: unknown key 'max_nrom' in training; did you mean 'max_norm'?\n"
            "    training: {steps: 1, seq_len: 8, max_nrom: 1.0}\n"
            "                                     ^\n");
}

TEST(RecipeErrors, CountColumnsInCharactersNotInBytes) {
  EXPECT_EQ(refusal(with_change("training: {steps: 1, seq_len: 8, \"größe\": 1, max_nrom: 1}")),
            "r.yaml:11:34: error: unknown key 'größe' in training; expected one of steps, seq_len, "
            "micro_batch_size, global_batch_size, max_norm, seed, non_finite, exit_after, "
            "validation_interval, validation_batches, threads\n"
            "    training: {steps: 1, seq_len: 8, \"größe\": 1, max_nrom: 1}\n"
            "                                     ^\n"
            "r.yaml:11:46: error: unknown key 'max_nrom' in training; did you mean 'max_norm'?\n"
            "    training: {steps: 1, seq_len: 8, \"größe\": 1, max_nrom: 1}\n"
            "                                                 ^\n");
}

TEST(RecipeErrors, ShowPartOfALineThatIsTooLongForATerminal) {
  const std::string padding(500, ' ');
  const std::string message =
      refusal(with_change("training: {steps: 1, seq_len: 8," + padding + "max_nrom: 1}" + padding));
  const std::vector<std::string> lines = lines_of(message);
  ASSERT_THAT(lines, SizeIs(3));
  EXPECT_LE(lines[1].size(), 170U);
  EXPECT_EQ(lines[1].find("max_nrom"), lines[2].find('^'));
}

TEST(RecipeErrors, DoNotLetARecipeSteerTheTerminal) {
  const std::string message = refusal(with_change("\"a\\e[31mb\": 1"));
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
  EXPECT_THAT(message, HasSubstr("unknown key 'a?[31mb'"));
}

TEST(RecipeErrors, AMissingKeyPointsAtItsSection) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"output", "r.yaml:1:1: error: missing key 'output' (folder of the run)"},
      {"  vocab_size", "r.yaml:2:1: error: missing key 'vocab_size' in model"},
      {"  intermediate_size", "r.yaml:2:1: error: missing key 'intermediate_size' in model"},
      {"  steps", "r.yaml:11:1: error: missing key 'steps' in training"},
      {"  seq_len", "r.yaml:11:1: error: missing key 'seq_len' in training"}};
  for (const auto& [key, expected] : cases) {
    std::string yaml = valid_recipe;
    const std::size_t at = ("\n" + yaml).find("\n" + key + ":");
    yaml.replace(at, yaml.find('\n', at) - at, "");
    EXPECT_THAT(headlines(refusal(yaml)), ElementsAre(HasSubstr(expected)));
  }
}

TEST(RecipeErrors, AMissingSectionPointsAtTheTop) {
  EXPECT_THAT(headlines(refusal("output: runs/x\n")),
              ElementsAre(HasSubstr("r.yaml:1:1: error: missing key 'model'"),
                          HasSubstr("r.yaml:1:1: error: missing key 'data'"),
                          HasSubstr("r.yaml:1:1: error: missing key 'training'")));
}

TEST(RecipeErrors, AllComeInOnePassInTheOrderOfTheText) {
  const std::string yaml = with_change("optimizer: {lr: -1, lr: 2}\nprecision: {compute: f8}\n") +
                           "training2: {}\nmodel2: {}\nmetrics: {interval: x}\n";
  const std::string also = "  vocab_size: 256\n";
  std::string broken = yaml;
  broken.replace(broken.find(also), also.size(), "  vocab_size: 16\n  hiden: 1\n");
  EXPECT_THAT(headlines(refusal(broken)),
              ElementsAre(HasSubstr("r.yaml:3:3: error: model.vocab_size"),
                          HasSubstr("r.yaml:4:3: error: unknown key 'hiden'"),
                          HasSubstr("r.yaml:16:17: error: optimizer.lr"),
                          HasSubstr("r.yaml:16:21: error: duplicate key 'lr'"),
                          HasSubstr("r.yaml:17:22: error: precision.compute"),
                          HasSubstr("r.yaml:19:1: error: unknown key 'training2'"),
                          HasSubstr("r.yaml:20:1: error: unknown key 'model2'"),
                          HasSubstr("r.yaml:21:21: error: metrics.interval")));
}

TEST(RecipeErrors, AreCountedWhenThereAreTooManyToRead) {
  std::string yaml = valid_recipe;
  for (int i = 0; i < 200; ++i) yaml += "unknown_" + std::to_string(i) + ": 1\n";
  const std::string message = refusal(yaml);
  EXPECT_THAT(headlines(message), SizeIs(50));
  EXPECT_THAT(message, HasSubstr("and 150 more errors\n"));
}

TEST(RecipeErrors, ComeWithExitCodeTwo) {
  try {
    parse_recipe("r.yaml", "a: 1\n");
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
  }
}

TEST(RecipeWarnings, TellOfKeysWithoutEffectAndChangeNothing) {
  const LoadedRecipe loaded = parse_recipe("r.yaml", with_change("optimizer: {momentum: 0.5}"));
  EXPECT_EQ(loaded.recipe.optimizer.momentum, 0.5);
  EXPECT_EQ(loaded.diagnostics.warnings(),
            "r.yaml:15:13: warning: optimizer.momentum has no effect here: only if name is SGD\n"
            "    optimizer: {momentum: 0.5}\n"
            "                ^\n");
}

TEST(RecipeWarnings, TellOfAWarmUpLongerThanTheRun) {
  const LoadedRecipe loaded =
      parse_recipe("r.yaml", with_change("lr_schedule: {warmup_steps: 11}"));
  EXPECT_THAT(
      loaded.diagnostics.warnings(),
      HasSubstr("lr_schedule.warmup_steps: the run ends after 10 steps, while still warming"));
}

}  // namespace
}  // namespace boostr
