#include "trainer/recipe_suggest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/trainer/recipe_testing.h"
#include "trainer/recipe_keys.h"

namespace boostr {
namespace {

using namespace recipe_testing;
using testing::HasSubstr;

TEST(EditDistance, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("steps", "steps"), 0);
  EXPECT_EQ(edit_distance("stpes", "steps"), 1);
  EXPECT_EQ(edit_distance("step", "steps"), 1);
  EXPECT_EQ(edit_distance("stepps", "steps"), 1);
  EXPECT_EQ(edit_distance("sTeps", "stePs"), 0);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("", "abc"), 3);
}

TEST(Closest, PrefersTheFirstOfEquallyNearAndNothingFarAway) {
  const std::vector<std::string_view> keys = {"betas", "beta", "lr"};
  EXPECT_EQ(closest("bets", keys), "betas");
  EXPECT_EQ(closest("lrr", keys), "lr");
  EXPECT_EQ(closest("wholly_different", keys), "");
}

// A word one or two random edits away from `word`.
std::string mistyped(std::string word, std::mt19937& random) {
  const auto below = [&](std::size_t n) { return random() % n; };
  const std::size_t edits = 1 + below(2);
  for (std::size_t i = 0; i < edits; ++i) {
    const std::size_t at = below(word.size());
    const char letter = static_cast<char>('a' + below(26));
    switch (below(4)) {
      case 0:
        word[at] = letter;
        break;
      case 1:
        word.insert(at, 1, letter);
        break;
      case 2:
        if (word.size() > 3) word.erase(at, 1);
        break;
      default:
        if (at + 1 < word.size()) std::swap(word[at], word[at + 1]);
    }
  }
  return word;
}

TEST(Suggestions, NameTheRightKeyForTyposOfOneOrTwoEdits) {
  std::set<std::string> names;  // the keys proper, below the sections
  const std::vector<std::string>& paths = recipe_keys();
  for (const std::string& path : paths) names.insert(path.substr(path.rfind('.') + 1));
  std::mt19937 random(20);
  int typos = 0, right = 0;
  while (typos < 400) {
    const std::string& path = paths[random() % paths.size()];
    const std::size_t dot = path.rfind('.');
    const std::string section = dot == std::string::npos ? "" : path.substr(0, dot);
    const std::string name = path.substr(dot == std::string::npos ? 0 : dot + 1);
    const bool in_list =
        section == "data.train" || section == "data.validation" || section == "optimizer.groups";
    const std::string typo = mistyped(name, random);
    if (name.size() < 3 || in_list || names.contains(typo)) continue;
    ++typos;
    const std::string argument = (section.empty() ? "" : section + ".") + typo + "=1";
    const std::string message = refusal(valid_recipe, {argument});
    right += message.find("did you mean '" + name + "'?") != std::string::npos;
  }
  EXPECT_GE(right, typos * 95 / 100);
}

TEST(ForeignKeys, AllPointAtKeysThatExist) {
  const std::set<std::string> paths(recipe_keys().begin(), recipe_keys().end());
  for (const ForeignKey& foreign : foreign_keys()) {
    const std::string ours(foreign.ours);
    const bool sentence = ours.find(' ') != std::string::npos;
    EXPECT_TRUE(sentence || ours == "extends" || paths.contains(ours))
        << foreign.key << " -> " << ours;
  }
}

TEST(ForeignKeys, AreNotOurs) {
  std::set<std::string> paths(recipe_keys().begin(), recipe_keys().end());
  for (const ForeignKey& foreign : foreign_keys()) {
    EXPECT_NE(foreign.key, foreign.ours.substr(foreign.ours.rfind('.') + 1)) << foreign.key;
  }
}

TEST(ForeignKeys, CoverTheProjectsThatPeopleComeFrom) {
  EXPECT_EQ(foreign_key_hint("train_micro_batch_size_per_gpu"),
            "DeepSpeed's train_micro_batch_size_per_gpu is training.micro_batch_size here");
  EXPECT_THAT(foreign_key_hint("clip-grad"),
              HasSubstr("Megatron-LM's clip_grad is training.max_norm"));
  EXPECT_THAT(foreign_key_hint("local_batch_size"), HasSubstr("TorchTitan's"));
  EXPECT_THAT(foreign_key_hint("train_steps"), HasSubstr("nanotron's"));
  EXPECT_THAT(foreign_key_hint("max_grad_norm"), HasSubstr("Hugging Face's"));
  EXPECT_THAT(foreign_key_hint("val_loss_every"), HasSubstr("llm.c's"));
  EXPECT_THAT(foreign_key_hint("n_embd"), HasSubstr("nanoGPT's n_embd is model.hidden_size"));
  EXPECT_THAT(foreign_key_hint("num_warmup_steps"), HasSubstr("lr_schedule.warmup_steps"));
  EXPECT_EQ(foreign_key_hint("nobodys_key"), "");
}

}  // namespace
}  // namespace boostr
