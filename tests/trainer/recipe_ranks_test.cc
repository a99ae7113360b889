#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/recipe_testing.h"

namespace boostr {
namespace {

using namespace recipe_testing;
using testing::ElementsAre;

std::vector<std::string> ranks_refusal(int ranks, const std::vector<std::string>& overrides) {
  try {
    check_ranks(parse_recipe("r.yaml", valid_recipe, overrides), ranks);
  } catch (const RecipeError& e) {
    return headlines(e.what());
  }
  return {};
}

TEST(RecipeRanks, DataParallelTakesTheRanksThatAreLeft) {
  EXPECT_EQ(check_ranks(parse_recipe("r.yaml", valid_recipe), 1), 1);
  EXPECT_EQ(check_ranks(parse_recipe("r.yaml", valid_recipe), 12), 12);
  const std::vector<std::string> fixed = {"parallelism.data_parallel_shard_degree=3",
                                          "parallelism.data_parallel_replicate_degree=2"};
  EXPECT_EQ(check_ranks(parse_recipe("r.yaml", valid_recipe, fixed), 6), 6);
}

TEST(RecipeRanks, RefuseAMeshThatDoesNotFit) {
  EXPECT_THAT(
      ranks_refusal(4, {"parallelism.data_parallel_shard_degree=3"}),
      ElementsAre("override 'parallelism.data_parallel_shard_degree=3': error: "
                  "parallelism.data_parallel_shard_degree: "
                  "the degrees multiply to 3 (pipeline 1 x replicate 1 x shard 3 x tensor 1), "
                  "which is not the number of ranks, 4"));
  EXPECT_THAT(
      ranks_refusal(4, {"parallelism.data_parallel_replicate_degree=3"}),
      ElementsAre("override 'parallelism.data_parallel_replicate_degree=3': error: "
                  "parallelism.data_parallel_replicate_degree: "
                  "the degrees multiply to 3 (pipeline 1 x replicate 3 x shard 1 x tensor 1), "
                  "which does not divide the number of ranks, 4"));
}

TEST(RecipeRanks, RefuseABatchThatTheRanksCannotShare) {
  EXPECT_THAT(ranks_refusal(3, {"training.global_batch_size=8"}),
              ElementsAre("override 'training.global_batch_size=8': error: "
                          "training.global_batch_size: 8 is not divisible by "
                          "micro_batch_size x data-parallel ranks = 2 x 3 = 6"));
  EXPECT_THAT(ranks_refusal(2, {"training.global_batch_size=8"}), ElementsAre());
}

TEST(RecipeRanks, RefuseAPipelineThatDoesNotFit) {
  const auto refusal_of = [](const std::vector<std::string>& more) {
    std::vector<std::string> overrides = {"training.global_batch_size=8"};
    for (const std::string& key : more) overrides.push_back("parallelism.pipeline_parallel_" + key);
    return ranks_refusal(2, overrides);
  };
  EXPECT_THAT(refusal_of({"degree=2", "schedule=zb_v"}), ElementsAre());
  EXPECT_THAT(refusal_of({"degree=2", "schedule=auto", "memory_limit=0.1"}),
              ElementsAre(testing::HasSubstr("no schedule of 1 chunk per rank keeps within 0.1")));
  // Two layers, the embedding and the head are four links.
  EXPECT_THAT(refusal_of({"degree=2", "schedule=interleaved_1f1b", "chunks=3"}),
              ElementsAre(testing::HasSubstr("cannot be cut into 6 parts")));
  EXPECT_THAT(refusal_of({"degree=2", "schedule=nowhere.csv"}),
              ElementsAre(testing::HasSubstr("nowhere.csv")));
}

}  // namespace
}  // namespace boostr
