#include "trainer/recipe_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/trainer/recipe_testing.h"
#include "trainer/recipe_keys.h"

namespace boostr {
namespace {

using namespace recipe_testing;
using nlohmann::json;

// The schema of the key at `path`, through the elements of lists.
json at_path(const json& schema, const std::string& path) {
  const std::size_t dot = path.find('.');
  const json& holder = schema.contains("items") ? schema.at("items") : schema;
  const json& child = holder.at("properties").at(path.substr(0, dot));
  return dot == std::string::npos ? child : at_path(child, path.substr(dot + 1));
}

TEST(RecipeSchema, DescribesEveryKey) {
  const json schema = json::parse(recipe_schema());
  EXPECT_EQ(schema.at("$schema"), "https://json-schema.org/draft/2020-12/schema");
  for (const std::string& key : recipe_keys()) {
    EXPECT_NO_THROW(EXPECT_FALSE(at_path(schema, key).at("description").get<std::string>().empty()))
        << key;
  }
  EXPECT_TRUE(schema.at("properties").contains("extends"));
}

void expect_closed(const json& schema, const std::string& path) {
  if (schema.contains("items")) expect_closed(schema.at("items"), path + "[]");
  if (!schema.contains("properties")) return;
  EXPECT_EQ(schema.value("additionalProperties", true), false) << path;
  for (const auto& [key, child] : schema.at("properties").items())
    expect_closed(child, path + "." + key);
}

TEST(RecipeSchema, AllowsNoOtherKeys) { expect_closed(json::parse(recipe_schema()), ""); }

TEST(RecipeSchema, KnowsRangesChoicesUnitsAndInference) {
  const json schema = json::parse(recipe_schema());
  EXPECT_EQ(at_path(schema, "training.steps").at("minimum"), 1);
  EXPECT_EQ(at_path(schema, "optimizer.lr").at("exclusiveMinimum"), 0);
  EXPECT_EQ(at_path(schema, "precision.compute").at("enum"), json({"f32", "bf16", "f16", "f64"}));
  EXPECT_EQ(at_path(schema, "training.global_batch_size").at("anyOf").at(1).at("const"), -1);
  EXPECT_EQ(at_path(schema, "parallelism.bucket_bytes").at("anyOf").at(1).at("type"), "string");
  EXPECT_EQ(at_path(schema, "parallelism.zero_stage").at("maximum"), 3);
  EXPECT_EQ(at_path(schema, "metrics.interval").at("default"), 10);
}

TEST(RecipeSchema, AllowsASectionWhoseKeysAreAllCommentedOut) {
  const json schema = json::parse(recipe_schema());
  for (const char* section : {"optimizer", "tokenizer", "model.rope_scaling"})
    EXPECT_EQ(at_path(schema, section).at("type"), json({"object", "null"})) << section;
  EXPECT_EQ(at_path(schema, "model").at("type"), "object");
}

TEST(RecipeSchema, RequiresKeysUnlessARecipeIsExtended) {
  const json schema = json::parse(recipe_schema());
  EXPECT_EQ(schema.at("then").at("required"), json({"output", "model", "data", "training"}));
  EXPECT_EQ(schema.at("then").at("properties").at("training").at("required"),
            json({"steps", "seq_len"}));
  EXPECT_EQ(schema.at("if").at("not").at("required"), json({"extends"}));
}

TEST(RecipeReference, IsTheOneInDocs) {
  std::ifstream file(source_dir + "/docs/recipe.md");
  const std::string page((std::istreambuf_iterator<char>(file)), {});
  EXPECT_TRUE(page == recipe_reference())
      << "docs/recipe.md is out of date; run: build/bin/boostr-train schema --markdown > "
         "docs/recipe.md";
}

}  // namespace
}  // namespace boostr
