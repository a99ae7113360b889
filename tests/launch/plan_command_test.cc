#include "launch/plan_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/launch/command_line.h"

namespace boostr {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string recipes = std::string(BOOSTR_SOURCE_DIR) + "/recipes/";

struct Outcome : CommandOutcome {
  nlohmann::json json() const { return nlohmann::json::parse(out); }
};

/// `boostr-train plan` with these arguments.
Outcome run(std::vector<std::string> arguments, const Actions& actions = {}) {
  arguments.insert(arguments.begin(), "plan");
  return {run_words(arguments, actions)};
}

/// A recipe of the Llama 3 family on one H200.
Outcome plan_model(const std::vector<std::string>& model) {
  std::vector<std::string> arguments = {recipes + "llama3_8B_8xH200_zero3.yaml",
                                        "parallelism.zero_stage=0",
                                        "training.global_batch_size=1",
                                        "training.seq_len=128",
                                        "--device",
                                        "h200",
                                        "--json"};
  for (const std::string& key : model) arguments.push_back("model." + key);
  return run(arguments);
}

TEST(PlanCommand, CountsTheParametersOfPublishedModels) {
  const std::vector<std::pair<std::vector<std::string>, std::int64_t>> models = {
      {{}, 8030261248},  // Llama 3 8B
      {{"hidden_size=8192", "num_hidden_layers=80", "num_attention_heads=64",
        "intermediate_size=28672"},
       70553706496},  // Llama 3 70B
      {{"hidden_size=16384", "num_hidden_layers=126", "num_attention_heads=128",
        "intermediate_size=53248"},
       405853388800},  // Llama 3.1 405B
      {{"hidden_size=2048", "num_hidden_layers=16", "intermediate_size=8192",
        "tie_word_embeddings=true"},
       1235814400},  // Llama 3.2 1B
      {{"vocab_size=32000", "num_key_value_heads=32", "intermediate_size=11008"},
       6738415616},                        // Llama 2 7B
      {{"vocab_size=32000"}, 7241732096},  // Mistral 7B
      {{"vocab_size=151936", "hidden_size=896", "num_hidden_layers=24", "num_attention_heads=14",
        "num_key_value_heads=2", "intermediate_size=4864", "attention_bias=true",
        "attention_out_bias=false", "tie_word_embeddings=true"},
       494032768},  // Qwen2 0.5B
      {{"vocab_size=151936", "num_hidden_layers=36", "intermediate_size=12288", "head_dim=128",
        "qk_norm=true"},
       8190735360}};  // Qwen3 8B
  for (const auto& [keys, parameters] : models) {
    const Outcome outcome = plan_model(keys);
    ASSERT_EQ(outcome.code, 0) << outcome.error;
    EXPECT_EQ(outcome.json().at("parameters").get<std::int64_t>(), parameters);
  }
}

TEST(PlanCommand, HoldsTheSharesOfZero) {
  const double parameters = 8030261248.0;
  const auto bytes = [&](const std::string& stage, const char* use) {
    const Outcome outcome = run({recipes + "llama3_8B_8xH200_zero3.yaml", "--ranks", "8",
                                 "--device", "h200", "--json", "parallelism.zero_stage=" + stage});
    EXPECT_EQ(outcome.code, 0) << outcome.error;
    return outcome.json().at("bytes_per_rank").at(use).get<double>();
  };
  EXPECT_NEAR(bytes("0", "parameters") / (2 * parameters), 1, 0.01);
  EXPECT_NEAR(bytes("0", "gradients") / (4 * parameters), 1, 0.01);
  EXPECT_NEAR(bytes("0", "optimizer") / (12 * parameters), 1, 0.01);
  EXPECT_NEAR(bytes("1", "optimizer") / (12 * parameters / 8), 1, 0.01);
  EXPECT_GT(bytes("2", "gradients"), 4 * parameters / 8);
  EXPECT_LT(bytes("2", "gradients"), 4 * parameters / 4);
  EXPECT_LT(bytes("3", "parameters"), 2 * parameters / 4);
}

TEST(PlanCommand, PrintsOneJsonObject) {
  const Outcome outcome = run({recipes + "zero1.yaml", "--ranks=4", "--device=a100", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const nlohmann::json plan = outcome.json();
  EXPECT_EQ(plan.at("ranks"), 4);
  EXPECT_EQ(plan.at("device"), "a100");
  EXPECT_EQ(plan.at("mesh").at("data_parallel_shard_degree"), 4);
  EXPECT_EQ(plan.at("fits"), true);
  EXPECT_EQ(plan.at("bubble_rate"), 0);
  EXPECT_EQ(plan.at("wire_bytes_per_rank").at("tp"), 0);
  // Three quarters of the gradients in f32 and of the weights in bf16, and what pads them.
  const double least = 0.75 * 6 * plan.at("parameters").get<double>();
  EXPECT_GE(plan.at("wire_bytes_per_rank").at("dp").get<double>(), least);
  EXPECT_LE(plan.at("wire_bytes_per_rank").at("dp").get<double>(), 1.6 * least);
  EXPECT_GT(plan.at("step_seconds").get<double>(), 0);
  EXPECT_GT(plan.at("flops_per_step").get<double>(), 0);
  for (const char* use : {"parameters", "gradients", "optimizer", "activations", "communication",
                          "checkpoint", "offload"})
    EXPECT_TRUE(plan.at("bytes_per_rank").contains(use)) << use;
}

TEST(PlanCommand, KnowsWhatEachStageHolds) {
  const Outcome outcome = run(
      {recipes + "llama3_405B_512xH200_tp8_pp16.yaml", "--ranks=512", "--device=h200", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const nlohmann::json plan = outcome.json();
  EXPECT_EQ(plan.at("parameters"), 405853388800);
  ASSERT_EQ(plan.at("stages").size(), 16U);
  EXPECT_THAT(plan.at("stages").front().at("holds").get<std::string>(), HasSubstr("embedding"));
  EXPECT_THAT(plan.at("stages").back().at("holds").get<std::string>(), HasSubstr("head"));
  EXPECT_GT(plan.at("bubble_rate").get<double>(), 0);
  EXPECT_GT(plan.at("wire_bytes_per_rank").at("pp").get<double>(), 0);
  const auto activations = [&](std::size_t stage) {
    return plan.at("stages").at(stage).at("bytes_per_rank").at("activations").get<double>();
  };
  EXPECT_GT(activations(1), 5 * activations(14)) << "1f1b: 15 microbatches in flight, and 2";
}

TEST(PlanCommand, PlansEveryRecipe) {
  for (const auto& entry : std::filesystem::directory_iterator(recipes)) {
    const std::string name = entry.path().filename().string();
    std::vector<std::string> arguments = {entry.path().string(), "--json", "--device=h200"};
    if (name.find("70B") != std::string::npos) arguments.push_back("--ranks=1024");
    if (name.find("405B") != std::string::npos) arguments.push_back("--ranks=4096");
    if (name.find("_8B") != std::string::npos) arguments.push_back("--ranks=128");
    const Outcome outcome = run(arguments);
    ASSERT_EQ(outcome.code, 0) << name << ": " << outcome.error;
    EXPECT_TRUE(outcome.json().at("fits").get<bool>()) << name;
  }
}

TEST(PlanCommand, SaysForPeopleWhatItComesTo) {
  const Outcome outcome =
      run({recipes + "llama3_8B_8xH200_zero3.yaml", "--ranks=8", "--device=a100"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("8,030,261,248 parameters"), HasSubstr("shard 8"),
                                 HasSubstr("activations"), HasSubstr("tokens/s")));
}

/// What --calibrate starts.
struct Calibrations {
  int here = 0;
  std::vector<int> launched;
  std::vector<std::string> words;

  Actions actions(int ranks) {
    Actions actions;
    actions.calibrate = [this](const Recipe* /*recipe*/, const std::string& /*file*/) {
      ++here;
      return 0;
    };
    actions.launch = [this](int count, const std::vector<std::string>& arguments) {
      launched.push_back(count);
      words = arguments;
      return 0;
    };
    actions.ranks = [ranks] { return ranks; };
    return actions;
  }
};

TEST(PlanCommand, CalibratesInAsManyProcessesAsThereAreRanks) {
  Calibrations all;
  EXPECT_EQ(run({"--calibrate", "--calibration=c.json"}, all.actions(1)).code, 0);
  EXPECT_EQ(all.here, 1) << "one rank needs no launcher";
  ASSERT_EQ(all.launched.size(), 2U);
  EXPECT_EQ(all.launched[1], 2 * all.launched[0]);
  EXPECT_THAT(all.words, testing::ElementsAre("plan", "--calibrate", "--calibration=c.json"));

  Calibrations one;
  const std::string recipe = recipes + "zero1.yaml";
  const Outcome outcome =
      run({recipe, "--ranks=2", "--calibrate", "--calibration=c.json"}, one.actions(1));
  EXPECT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_THAT(one.launched, testing::ElementsAre(2));
  EXPECT_EQ(one.words.back(), recipe);
  EXPECT_THAT(outcome.out, HasSubstr("tokens/s")) << "the plan follows";

  Calibrations rank;
  const Outcome quiet = run({recipe, "--calibrate", "--calibration=c.json"}, rank.actions(2));
  EXPECT_EQ(rank.here, 1);
  EXPECT_EQ(quiet.out, "") << "one of the processes that measure";
}

TEST(PlanCommand, NamesTheNearestLayoutThatFits) {
  const Outcome outcome = run({recipes + "llama3_8B_8xH200_zero3.yaml", "--ranks=8",
                               "--device=a100", "--json", "parallelism.zero_stage=0"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_EQ(outcome.json().at("fits"), false);
  const nlohmann::json nearest = outcome.json().at("nearest");
  EXPECT_LT(nearest.at("total_bytes_per_rank"), outcome.json().at("device_bytes"));
  std::vector<std::string> again = {recipes + "llama3_8B_8xH200_zero3.yaml", "--ranks=8",
                                    "--device=a100", "--json", "parallelism.zero_stage=0"};
  for (const std::string& change : nearest.at("overrides").get<std::vector<std::string>>())
    again.push_back(change);
  EXPECT_EQ(run(again).json().at("fits"), true);
}

TEST(PlanCommand, SearchesForTheFastestLayouts) {
  const Outcome outcome = run({recipes + "zero1.yaml", "--ranks=2", "--device=h200", "--json",
                               "--search", "activation_checkpoint.mode=full"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const nlohmann::json layouts = outcome.json().at("layouts");
  ASSERT_GE(layouts.size(), 5U);
  for (std::size_t i = 1; i < layouts.size(); ++i)
    EXPECT_LE(layouts[i - 1].at("step_seconds"), layouts[i].at("step_seconds"));
  EXPECT_LT(layouts[0].at("step_seconds"), outcome.json().at("step_seconds"));
}

TEST(PlanCommand, SearchSaysOfALayoutWhatItsPlanSays) {
  const std::vector<std::string> question = {recipes + "llama3_8B_8xH200_zero3.yaml", "--ranks=8",
                                             "--device=a100", "--json"};
  std::vector<std::string> search = question;
  search.emplace_back("--search");
  const Outcome outcome = run(search);
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const nlohmann::json layouts = outcome.json().at("layouts");
  ASSERT_EQ(layouts.size(), 10U);
  for (const nlohmann::json& layout : layouts) {
    std::vector<std::string> words = question;
    for (const std::string& change : layout.at("overrides").get<std::vector<std::string>>())
      words.push_back(change);
    const nlohmann::json plan = run(words).json();
    for (const char* figure : {"step_seconds", "total_bytes_per_rank", "bubble_rate"})
      EXPECT_EQ(layout.at(figure), plan.at(figure)) << figure << ", " << layout.at("overrides");
  }
}

TEST(PlanCommand, RefusesWhatDoesNotFitTogether) {
  const std::string recipe = recipes + "llama3_70B_64xH200_tp8_pp4.yaml";
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{recipe, "--ranks=48"}, "parallelism"},
      {{recipe, "--ranks=64", "--device=h2000"},
       "unknown device 'h2000'; choose h200, a100 or this"},
      {{recipe, "--ranks=0"}, "--ranks"},
      {{recipe, "--rank=8"}, "unknown argument '--rank=8'"},
      {{recipe, "--ranks=64", "training.sq_len=8"}, "did you mean 'seq_len'"},
      {{"nowhere.yaml"}, "nowhere.yaml"},
      {{}, "plan needs a recipe, or --calibrate"}};
  for (const auto& [arguments, message] : cases) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2) << message;
    EXPECT_THAT(outcome.error, HasSubstr(message));
    EXPECT_EQ(outcome.out, "");
  }
}

}  // namespace
}  // namespace boostr
