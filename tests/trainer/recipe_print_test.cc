#include "trainer/recipe_print.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/recipe_testing.h"
#include "trainer/recipe_fields.h"
#include "trainer/recipe_value.h"

namespace boostr {
namespace {

using namespace recipe_testing;
using testing::HasSubstr;

TEST(ResolvedRecipe, LoadsBackTheSameWithoutWarnings) {
  const std::vector<std::vector<std::string>> variants = {
      {},
      {"optimizer.name=SGD", "optimizer.momentum=0.5"},
      {"optimizer.name=LAMB",
       "optimizer.groups=[{pattern: '*norm*', weight_decay: 0}, {pattern: a}]"},
      {"precision.compute=f16", "precision.initial_loss_scale=1024"},
      {"model.rope_scaling={rope_type: yarn, factor: 4}"},
      {"model.rope_scaling={rope_type: llama3, factor: 8}"},
      {"lr_schedule={decay: wsd, decay_steps: 3}", "checkpoint.interval=5",
       "training.exit_after=3h50m"},
      {"training.seed=18446744073709551615", "data.validation=[{text: 'a \"b\" \\ c'}]"},
      {"output=über: #1", "optimizer.eps=1e-300", "training.max_norm=0.30000000000000004"}};
  for (const std::vector<std::string>& overrides : variants) {
    const LoadedRecipe loaded = parse_recipe("r.yaml", valid_recipe, overrides);
    const LoadedRecipe again = parse_recipe("again.yaml", resolved_yaml(loaded.recipe));
    EXPECT_EQ(again.recipe, loaded.recipe) << resolved_yaml(loaded.recipe);
    EXPECT_EQ(again.diagnostics.warnings(), loaded.diagnostics.warnings());
    EXPECT_EQ(resolved_yaml(again.recipe), resolved_yaml(loaded.recipe));
  }
}

TEST(ResolvedRecipe, ReplacesMinusOneWhereTheRecipeDecides) {
  const LlamaConfig model = parse_recipe("r.yaml", valid_recipe).recipe.model.llama;
  EXPECT_EQ(model.num_key_value_heads, 4);
  EXPECT_EQ(model.head_dim, 16);
  const std::vector<std::string> overrides = {"model.num_key_value_heads=-1", "model.head_dim=-1",
                                              "parallelism.data_parallel_replicate_degree=-1",
                                              "parallelism.data_parallel_shard_degree=1"};
  const Recipe asked = parse_recipe("r.yaml", valid_recipe, overrides).recipe;
  EXPECT_EQ(asked.model.llama, model);
  EXPECT_EQ(asked.parallelism.data_parallel_replicate_degree, -1);
}

TEST(ExplainedRecipe, NamesTheOriginOfEachValue) {
  const std::vector<std::string> overrides = {"training.steps=3"};
  const std::string yaml = explained_yaml(parse_recipe("r.yaml", valid_recipe, overrides));
  const auto line_with = [&](const std::string& key) {
    for (const std::string& line : lines_of(yaml)) {
      if (line.starts_with("  " + key + ":")) return line;
    }
    return std::string();
  };
  EXPECT_THAT(line_with("steps"), HasSubstr("steps: 3"));
  EXPECT_THAT(line_with("steps"), HasSubstr("# override 'training.steps=3'"));
  EXPECT_THAT(line_with("seq_len"), HasSubstr("# r.yaml:13"));
  EXPECT_THAT(line_with("max_norm"), HasSubstr("# default"));
  EXPECT_THAT(line_with("head_dim"), HasSubstr("# default: hidden_size / num_attention_heads"));
}

TEST(ExplainedRecipe, IsARecipeItself) {
  const LoadedRecipe loaded = load_recipe(quickstart);
  EXPECT_EQ(parse_recipe("again.yaml", explained_yaml(loaded)).recipe, loaded.recipe);
}

TEST(RecipeChanges, NameEveryKeyThatDiffersAndNoOther) {
  const Recipe before = parse_recipe("r.yaml", valid_recipe).recipe;
  EXPECT_TRUE(changes(before, before).empty());
  Recipe after = before;
  after.training.steps = 20;
  after.data.train[0].weight = 2;
  after.data.train.push_back({.text = "", .jsonl = "b", .tokens = ""});
  std::string listed;
  for (const RecipeChange& change : changes(before, after)) {
    listed += change.path + ": " + change.before + " -> " + change.after + "\n";
  }
  EXPECT_EQ(listed,
            "data.train.0.weight: 1.0 -> 2.0\n"
            "data.train.1.jsonl:  -> b\n"
            "data.train.1.weight:  -> 1.0\n"
            "training.steps: 10 -> 20\n");
  EXPECT_EQ(changes(after, before).size(), 4U);
}

/// Prints each default and reads it back into a field of the same kind.
struct DefaultsRoundTrip {
  template <class T>
  void operator()(const ConfigField& field, const T& value) {
    constexpr ValueKind kind = kind_of<T>();
    if constexpr (kind == ValueKind::section) {
      fields(value, *this);
    } else if constexpr (kind == ValueKind::section_list) {
      {
        const typename T::value_type element;
        fields(element, *this);
      }
    } else {
      const std::string printed = print_value(field, value);
      if (printed.empty() || printed == "\"\"" || field.required) return;
      Diagnostics diagnostics;
      const YamlNode node =
          read_yaml(printed, diagnostics.add_source({"v", printed}), diagnostics).value();
      T read = value;
      EXPECT_EQ(read_value(field, node, read), "") << field.key << ": " << printed;
      EXPECT_EQ(read, value) << field.key << ": " << printed;
      ++count;
    }
  }
  int count = 0;
};

TEST(RecipeFields, EveryDefaultIsAValidValueThatReadsBack) {
  DefaultsRoundTrip visitor;
  const Recipe recipe;
  fields(recipe, visitor);
  EXPECT_GT(visitor.count, 60);
}

/// Every row of the table says what a person needs.
struct TableCheck {
  template <class T>
  void operator()(const ConfigField& field, const T& value) {
    EXPECT_FALSE(field.doc.empty()) << field.key;
    EXPECT_EQ(field.doc.find_first_of("\n|"), std::string_view::npos) << field.key;
    EXPECT_EQ(field.applies_if.empty() && !field.applies, false) << field.key;
    EXPECT_EQ(field.key.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos)
        << field.key;
    constexpr ValueKind kind = kind_of<T>();
    if constexpr (kind == ValueKind::section) fields(value, *this);
    if constexpr (kind == ValueKind::section_list) {
      const typename T::value_type element;
      fields(element, *this);
    }
  }
};

TEST(RecipeFields, EveryRowIsDocumented) {
  TableCheck check;
  const Recipe recipe;
  fields(recipe, check);
}

}  // namespace
}  // namespace boostr
