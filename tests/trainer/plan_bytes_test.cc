#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <thread>

#include "parallel/comm/self.h"
#include "parallel/comm/threads.h"
#include "tests/trainer/data_files.h"
#include "trainer/plan/plan.h"
#include "trainer/recipe_load.h"
#include "trainer/run_start.h"
#include "trainer/trainer.h"

// What a plan says that a rank holds is what a real one holds.
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

/// The peaks of each stage in its second step, by use of the rank that holds most.
std::vector<BytesByUse> measured(const Case& one, const std::string& file) {
  std::vector<BytesByUse> peaks;
  std::mutex mutex;
  const auto train = [&](Communicator& world) {
    TrainingSetup setup(recipe_of(one, file), world);
    Trainer trainer(setup.recipe, setup.mesh, setup.dataset);
    trainer.step();
    MemoryLedger& ledger = *MemoryLedger::of_this_thread();
    ledger.reset_peaks();
    trainer.step();
    const std::lock_guard lock(mutex);
    peaks.resize(static_cast<std::size_t>(setup.mesh.pp().size()));
    BytesByUse& most = peaks[static_cast<std::size_t>(setup.mesh.pp().rank())];
    for (const MemoryUse use : memory_uses) {
      double& bytes = most[static_cast<std::size_t>(use)];
      bytes = std::max(bytes, static_cast<double>(ledger.of(use).peak));
    }
  };
  if (one.ranks > 1)
    run_ranks(one.ranks, train);
  else
    std::thread([&] { train(*self_world()); }).join();
  return peaks;
}

class PlannedBytes : public ::testing::TestWithParam<Case> {};

TEST_P(PlannedBytes, AreThoseOfARealRun) {
  const TestFolder folder;
  const std::string file = folder.write("text.txt", prose());
  const std::vector<BytesByUse> real = measured(GetParam(), file);
  const Plan plan = make_plan(recipe_of(GetParam(), file), GetParam().ranks, known_device("h200"));
  ASSERT_EQ(plan.stages.size(), real.size());
  for (std::size_t stage = 0; stage < real.size(); ++stage)
    for (const MemoryUse use : memory_uses) {
      const double planned = plan.stages[stage].bytes[static_cast<std::size_t>(use)];
      const double held = real[stage][static_cast<std::size_t>(use)];
      // Of messages the plan knows how many may be on their way, not how many are.
      const bool exact = real.size() == 1 || use != MemoryUse::activations;
      EXPECT_NEAR(planned, held, exact ? 0 : 0.05 * held) << name(use) << ", stage " << stage;
    }
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
  all.push_back({2, four + "optimizer: {post_validation: true}\nparallelism: {zero_stage: 1}\n"
                           "precision: {compute: f32}\n"});
  for (const int stage : {1, 2, 3})
    all.push_back({2, text(four, "parallelism: {zero_stage: ", stage, ", bucket_bytes: 50000}\n")});
  for (const char* schedule : {"gpipe", "1f1b", "zb_h1", "zb_h2", "zb_v"})
    all.push_back(
        {2, text(training("micro_batch_size: 1, global_batch_size: 6"),
                 "parallelism: {pipeline_parallel_degree: 2, pipeline_parallel_schedule: ",
                 schedule, "}\n")});
  all.push_back({2, four + "parallelism: {pipeline_parallel_degree: 2}\n"
                           "activation_checkpoint: {mode: full, layers: \"0,2\"}\n"});
  all.push_back({4, four + "parallelism: {pipeline_parallel_degree: 2, zero_stage: 1, "
                           "pipeline_parallel_schedule: interleaved_1f1b}\n"});
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, PlannedBytes, ::testing::ValuesIn(cases()));

}  // namespace
}  // namespace boostr
