#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "kernels/runtime/memory_ledger.h"
#include "ops/norm.h"
#include "parallel/comm/shared_board.h"
#include "parallel/comm/threads.h"
#include "tests/trainer/data_files.h"
#include "trainer/recipe_load.h"
#include "trainer/run_start.h"
#include "trainer/trainer.h"

// What a rank holds for each use is what the formulas of ZeRO (arXiv 1910.02054, table 1) say, to
// the padding that cuts parameters at whole chunks.
namespace boostr {
namespace {

constexpr std::int64_t bucket_bytes = 1500000;  // of f32 gradients: each layer in three buckets

std::string recipe_text(int stage, const std::string& mode, const std::string& file) {
  return text(R"(
output: /nonexistent/run
model: {vocab_size: 2048, hidden_size: 256, num_hidden_layers: 4, num_attention_heads: 4,
  intermediate_size: 704, tie_word_embeddings: false}
optimizer: {name: AdamW, lr: 0.001}
precision: {compute: bf16}
training: {steps: 5, seq_len: 64, micro_batch_size: 1, threads: 1}
data: {train: [{text: )",
              file, "}]}\nparallelism: {bucket_bytes: ", bucket_bytes, ", zero_stage: ", stage,
              "}\nactivation_checkpoint: {mode: ", mode, "}\n");
}

/// What rank 0 of `ranks` has held at most after two steps, and the model's number of parameters.
struct Held {
  double parameters_of_model = 0;
  std::array<double, memory_uses.size()> peak{};
  double optimizer_of_all_ranks = 0;

  double of(MemoryUse use) const { return peak[static_cast<std::size_t>(use)]; }
};

Held train(int ranks, int stage, const std::string& mode = "none") {
  const TestFolder folder;
  const std::string file = folder.write("text.txt", prose());
  Held held;
  run_ranks(ranks, [&](Communicator& world) {
    TrainingSetup setup(parse_recipe("r.yaml", recipe_text(stage, mode, file)).recipe, world);
    Trainer trainer(setup.recipe, setup.mesh, setup.dataset);
    MemoryLedger& ledger = *MemoryLedger::of_this_thread();
    trainer.step();
    ledger.reset_peaks();
    trainer.step();
    double optimizer = static_cast<double>(ledger.of(MemoryUse::optimizer).bytes);
    world.all_reduce(Out{&optimizer, DType::f64, Shape{1}}).wait();
    if (world.rank() != 0) return;
    held.parameters_of_model = static_cast<double>(trainer.num_parameters());
    held.optimizer_of_all_ranks = optimizer;
    for (const MemoryUse use : memory_uses)
      held.peak[static_cast<std::size_t>(use)] = static_cast<double>(ledger.of(use).peak);
  });
  return held;
}

struct Case {
  int ranks, stage;
};

class MemoryOfRanks : public ::testing::TestWithParam<Case> {
 protected:
  static constexpr double num_parameter_tensors = 4 * 9 + 3;
  static constexpr double num_buckets = 4 * 3 + 4;  // at most: the embedding and the head have two
  static constexpr double bucket_elements = bucket_bytes / 4.0;

  /// Elements that the flat memories of one rank may have more than 1/pieces of the model.
  static double padding(int ranks, bool cut) {
    const double chunk = ranks > 1 ? double{norm_chunk} : 16;
    return num_parameter_tensors * chunk / (cut ? ranks : 1) +
           num_buckets * chunk * (cut ? 1 : ranks);
  }

  static void expect_between(double value, double least, double most, const char* what) {
    EXPECT_GE(value, least) << what;
    EXPECT_LE(value, most) << what;
  }
};

TEST_P(MemoryOfRanks, EqualsTheFormulas) {
  const auto [ranks, stage] = GetParam();
  const Held held = train(ranks, stage);
  const double P = held.parameters_of_model, N = ranks;
  const bool cuts_gradients = stage >= 2 && ranks > 1, cuts_parameters = stage == 3 && ranks > 1;

  const double value_share = cuts_parameters ? P / N : P;
  const double gathered = cuts_parameters ? 3 * (bucket_elements + N * norm_chunk) : 0;
  expect_between(held.of(MemoryUse::parameters), 2 * value_share,
                 2 * (value_share + padding(ranks, cuts_parameters) + gathered), "parameters");

  const double grad_share = cuts_gradients ? P / N : P;
  const double buckets = cuts_gradients ? 4 * (bucket_elements + N * norm_chunk) : 0;
  expect_between(held.of(MemoryUse::gradients), 4 * grad_share,
                 4 * (grad_share + padding(ranks, cuts_gradients) + buckets), "gradients");

  // Moments and masters have no padding: together the ranks hold each element's once.
  EXPECT_EQ(held.optimizer_of_all_ranks, 12 * P * (stage == 0 ? N : 1));
  const double state_share = stage == 0 ? P : P / N;
  EXPECT_LE(held.of(MemoryUse::optimizer), 12 * (state_share + padding(ranks, stage > 0)));

  // Of the groups of more than one rank, and of the world of threads.
  const double groups = ranks > 1 ? 3 : 1;  // world, dp, shard
  EXPECT_EQ(held.of(MemoryUse::communication), groups * sizeof(RankBlock));
  EXPECT_EQ(held.of(MemoryUse::checkpoint), 0);
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const int ranks : {1, 2, 4, 8})
    for (const int stage : {0, 1, 2, 3}) all.push_back({ranks, stage});
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, MemoryOfRanks, ::testing::ValuesIn(cases()),
                         [](const ::testing::TestParamInfo<Case>& info) {
                           return text("ranks", info.param.ranks, "_stage", info.param.stage);
                         });

TEST(Memory, OfActivationsFallsWithRecomputation) {
  const double none = train(1, 0).of(MemoryUse::activations);
  const double selective = train(1, 0, "selective").of(MemoryUse::activations);
  const double full = train(1, 0, "full").of(MemoryUse::activations);
  EXPECT_LT(selective, none);
  EXPECT_LT(full, selective);
}

}  // namespace
}  // namespace boostr
