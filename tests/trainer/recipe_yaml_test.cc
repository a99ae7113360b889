#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/recipe_testing.h"

namespace boostr {
namespace {

using namespace recipe_testing;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

std::string repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(RecipeYaml, ReadsWindowsLineEndsAndAByteOrderMark) {
  std::string yaml = "\xEF\xBB\xBF";
  for (const std::string& line : lines_of(valid_recipe)) yaml += line + "\r\n";
  EXPECT_EQ(refusal(yaml), "");
  EXPECT_THAT(refusal(yaml + "metrix: 1\r\n"),
              HasSubstr("r.yaml:16:1: error: unknown key 'metrix'"));
}

TEST(RecipeYaml, ReadsQuotedAndFoldedStrings) {
  const LoadedRecipe loaded = parse_recipe(
      "r.yaml", with_change("output: >-\n  runs/a\n  b") + "checkpoint: {resume: 'it''s/a'}\n");
  EXPECT_EQ(loaded.recipe.output, "runs/a b");
  EXPECT_EQ(loaded.recipe.checkpoint.resume, "it's/a");
}

TEST(RecipeYaml, TakesASectionWithoutKeysForItsDefaults) {
  EXPECT_EQ(refusal(with_change("optimizer:\n  # lr: 1\n")), "");
}

TEST(RecipeYaml, RefusesAnEmptyText) {
  for (const std::string yaml : {"", "\n\n", "# nothing\n", "---\n", "~\n"}) {
    EXPECT_THAT(headlines(refusal(yaml)), ElementsAre("r.yaml:1:1: error: the recipe is empty"))
        << yaml;
  }
}

TEST(RecipeYaml, RefusesWhatIsNoMap) {
  for (const std::string yaml : {"hello\n", "- output: x\n", "42\n"}) {
    EXPECT_THAT(refusal(yaml), HasSubstr("a recipe is a map of sections")) << yaml;
  }
}

TEST(RecipeYaml, RefusesBytesThatAreNoText) {
  const std::string expected = "r.yaml:2:4: error: this byte is not text";
  for (const std::string bad : {"\xFF", "\xC3(", "\xE2\x82", "\x80", "\x1B"}) {
    EXPECT_THAT(refusal("a: 1\nü: " + bad + "\n"), HasSubstr(expected));
  }
  EXPECT_THAT(refusal(std::string("a: 1\nü: \0\n", 11)), HasSubstr(expected));
  EXPECT_THAT(refusal("\xFF\xFEo\0u"), HasSubstr("UTF-16"));
}

TEST(RecipeYaml, RefusesAnchorsAliasesAndTagsEachAtItsPlace) {
  const std::string yaml = "a: &x [1]\nb: *x\nc: !!int 3\nd: !local {e: 1}\n";
  const std::vector<std::string> lines = headlines(refusal(yaml));
  EXPECT_THAT(lines, Contains(HasSubstr("r.yaml:1:4: error: a recipe has no anchors")));
  EXPECT_THAT(lines, Contains(HasSubstr("r.yaml:2:4: error: a recipe has no aliases")));
  EXPECT_THAT(lines, Contains(HasSubstr("r.yaml:3:4: error: a recipe has no tags")));
  EXPECT_THAT(lines, Contains(HasSubstr("r.yaml:4:4: error: a recipe has no tags")));
}

TEST(RecipeYaml, IsNotExpandedByAnAliasBomb) {
  std::string yaml = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 40; ++i) {
    const std::string below = "*a" + std::to_string(i - 1);
    const std::string name = "a" + std::to_string(i);
    yaml += name + ": &" + name + " [" + below + ", " + below + ", " + below + "]\n";
  }
  EXPECT_THAT(refusal(yaml), HasSubstr("a recipe has no aliases"));
}

TEST(RecipeYaml, RefusesANodeThatHoldsItself) {
  EXPECT_THAT(refusal("a: &x\n  - *x\n"), HasSubstr("error: "));
}

TEST(RecipeYaml, BoundsDepthSizeAndCount) {
  EXPECT_THAT(refusal("a: " + repeat("[", 33) + repeat("]", 33)),
              HasSubstr("nested deeper than 32 levels"));
  EXPECT_THAT(refusal(repeat("- ", 5000)), HasSubstr("nested deeper than 32 levels"));
  EXPECT_THAT(refusal("a: [" + repeat("1,", 20001) + "]"), HasSubstr("more than 20000 values"));
  EXPECT_THAT(refusal("a: " + std::string((1 << 20) + 1, 'x')), HasSubstr("at most 1 MiB"));
}

TEST(RecipeYaml, SurvivesDamage) {
  std::ifstream file(quickstart);
  const std::string whole((std::istreambuf_iterator<char>(file)), {});
  unsigned state = 1;
  const auto random = [&](std::size_t below) {
    return (state = state * 1664525 + 1013904223) / 65536 % below;
  };
  const std::string bytes = "{}[]:,-?&*!|>'\"%@` \n\t#a0.~\x80";
  for (int i = 0; i < 300; ++i) {
    std::string damaged = whole;
    for (std::size_t k = 0; k <= random(6); ++k) {
      const std::size_t at = random(damaged.size());
      if (random(2) == 0)
        damaged[at] = bytes[random(bytes.size())];
      else
        damaged.erase(at, random(20));
    }
    const std::string message = refusal(damaged);  // any answer will do, as long as there is one
    EXPECT_TRUE(message.empty() || message.find("r.yaml:") == 0) << damaged;
  }
}

}  // namespace
}  // namespace boostr
