#include "trainer/plan/dry_rank.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "parallel/comm/self.h"
#include "parallel/comm/threads.h"
#include "tests/trainer/data_files.h"
#include "trainer/recipe_load.h"
#include "trainer/run_start.h"
#include "trainer/trainer.h"

// A dry rank holds what a real one holds, to the byte.
namespace boostr {
namespace {

struct Case {
  int ranks = 1;
  std::string changes;  ///< sections of the recipe, in YAML
};

Recipe recipe_of(const Case& one, const std::string& file) {
  return parse_recipe("r.yaml", text(R"(
output: /nonexistent/run
model: {vocab_size: 500, hidden_size: 64, num_hidden_layers: 3, num_attention_heads: 4,
  num_key_value_heads: 2, intermediate_size: 176}
data: {train: [{text: )",
                                     file, "}]}\n", one.changes))
      .recipe;
}

using Bytes = std::array<double, memory_uses.size()>;

/// The peaks of rank 0 in its second step.
Bytes measured(const Case& one, const std::string& file) {
  Bytes peaks{};
  const auto train = [&](Communicator& world) {
    TrainingSetup setup(recipe_of(one, file), world);
    Trainer trainer(setup.recipe, setup.mesh, setup.dataset);
    trainer.step();
    MemoryLedger& ledger = *MemoryLedger::of_this_thread();
    ledger.reset_peaks();
    trainer.step();
    if (world.rank() != 0) return;
    for (const MemoryUse use : memory_uses)
      peaks[static_cast<std::size_t>(use)] = static_cast<double>(ledger.of(use).peak);
  };
  if (one.ranks > 1)
    run_ranks(one.ranks, train);
  else
    std::thread([&] { train(*self_world()); }).join();
  return peaks;
}

/// The same of a rank that runs alone, dry.
Bytes planned(const Case& one, const std::string& file) {
  RankRequest request;
  request.recipe = recipe_of(one, file);
  request.degrees = resolved(mesh_degrees(request.recipe.parallelism), one.ranks);
  request.recipe =
      with_batch_inferred(request.recipe, request.degrees.replicate * request.degrees.shard);
  const RankRecord record = dry_rank(request);
  double peak = record.update.peak;
  for (const MicrobatchRecord& microbatch : record.microbatches) {
    const ChunkRecord& chunk = microbatch.chunks.front();
    peak = std::max({peak, chunk.forward.peak, chunk.forward.kept + chunk.backward.peak});
  }
  Bytes bytes = record.bytes;
  bytes[static_cast<std::size_t>(MemoryUse::activations)] += peak;
  return bytes;
}

class DryRankOf : public ::testing::TestWithParam<Case> {};

TEST_P(DryRankOf, HoldsWhatARealOneHolds) {
  const TestFolder folder;
  const std::string file = folder.write("text.txt", prose());
  const Bytes real = measured(GetParam(), file), dry = planned(GetParam(), file);
  for (const MemoryUse use : memory_uses)
    EXPECT_EQ(dry[static_cast<std::size_t>(use)], real[static_cast<std::size_t>(use)]) << name(use);
}

std::string training(const std::string& more) {
  return text("training: {steps: 5, seq_len: 32, threads: 1, ", more, "}\n");
}

std::vector<Case> cases() {
  const std::string four = training("micro_batch_size: 2, global_batch_size: 16");
  std::vector<Case> all = {
      {1, training("micro_batch_size: 3") + "precision: {compute: f32}\n"},
      {1, training("micro_batch_size: 2, global_batch_size: 8") +
              "activation_checkpoint: {mode: full}\noptimizer: {name: LAMB}\n"},
      {2, four + "parallelism: {zero_stage: 0}\nactivation_checkpoint: {mode: selective}\n"},
      {2, four + "parallelism: {tensor_parallel_degree: 2, sequence_parallel: true}\n"},
      {4, four + "parallelism: {zero_stage: 2, data_parallel_replicate_degree: 2}\n"},
      {4, four + "parallelism: {tensor_parallel_degree: 4}\nprecision: {compute: f64}\n"},
      {4, four + "parallelism: {zero_stage: 3, tensor_parallel_degree: 2, bucket_bytes: 20000}\n"}};
  for (const int stage : {1, 2, 3})
    all.push_back({2, text(four, "parallelism: {zero_stage: ", stage, ", bucket_bytes: 50000}\n")});
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, DryRankOf, ::testing::ValuesIn(cases()));

}  // namespace
}  // namespace boostr
