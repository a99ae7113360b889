#include <gtest/gtest.h>

#include <vector>

#include "parallel/comm/threads.h"
#include "tests/trainer/data_files.h"
#include "trainer/recipe_load.h"
#include "trainer/run_start.h"
#include "trainer/trainer.h"

// The stages of ZeRO give the same bits wherever they add the same numbers in the same order: with one
// microbatch all four do; with more, 0 and 1 add microbatches first, 2 and 3 ranks first.
namespace boostr {
namespace {

struct Case {
  const char* precision;
  const char* optimizer;
  int data_parallel, tensor_parallel;
};

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  return text(c.precision, "_", c.optimizer, "_dp", c.data_parallel, "_tp", c.tensor_parallel);
}

std::string recipe_text(const Case& c, int stage, int accumulation, const std::string& file) {
  return text(R"(
output: /nonexistent/run
model: {vocab_size: 263, hidden_size: 48, num_hidden_layers: 2, num_attention_heads: 4,
  num_key_value_heads: 2, intermediate_size: 150, tie_word_embeddings: true}
training: {steps: 4, seq_len: 12, micro_batch_size: 2, max_norm: 0.5, threads: 1, global_batch_size: )",
              2 * c.data_parallel * accumulation, "}\ndata: {train: [{text: ", file,
              "}]}\noptimizer: {name: ", c.optimizer,
              ", lr: 0.01}\nprecision: {compute: ", c.precision,
              "}\nparallelism: {bucket_bytes: 100000, zero_stage: ", stage,
              ", tensor_parallel_degree: ", c.tensor_parallel, "}\n");
}

class ZeroBits : public ::testing::TestWithParam<Case> {
 protected:
  /// Loss and gradient norm of each of four steps.
  std::vector<double> train(int stage, int accumulation) const {
    const Case& c = GetParam();
    const Recipe recipe = parse_recipe("r.yaml", recipe_text(c, stage, accumulation, file_)).recipe;
    std::vector<double> numbers;
    run_ranks(c.data_parallel * c.tensor_parallel, [&](Communicator& world) {
      TrainingSetup setup(recipe, world);
      Trainer trainer(setup.recipe, setup.mesh, setup.dataset);
      for (int step = 0; step < 4; ++step) {
        const StepReport report = trainer.step();
        if (world.rank() == 0) numbers.insert(numbers.end(), {report.loss, report.grad_norm});
      }
    });
    return numbers;
  }

 private:
  TestFolder folder_;
  std::string file_ = folder_.write("text.txt", prose());
};

TEST_P(ZeroBits, AreTheSameAtAllStagesWithOneMicrobatch) {
  const std::vector<double> expected = train(0, 1);
  for (const int stage : {1, 2, 3}) EXPECT_EQ(train(stage, 1), expected) << "stage " << stage;
}

TEST_P(ZeroBits, AreTheSameAtZeroAndOneAndAtTwoAndThreeWithMore) {
  const std::vector<double> kept = train(0, 3), scattered = train(2, 3);
  EXPECT_EQ(train(1, 3), kept);
  EXPECT_EQ(train(3, 3), scattered);
  for (std::size_t i = 0; i < kept.size(); ++i)
    EXPECT_NEAR(scattered[i], kept[i],
                (GetParam().precision == std::string("f64") ? 1e-12 : 2e-2) * kept[i]);
}

INSTANTIATE_TEST_SUITE_P(All, ZeroBits,
                         ::testing::Values(Case{"bf16", "AdamW", 2, 1}, Case{"bf16", "LAMB", 3, 1},
                                           Case{"f16", "AdamW", 3, 1}, Case{"f32", "SGD", 2, 2},
                                           Case{"f32", "LAMB", 4, 1}, Case{"bf16", "AdamW", 2, 2},
                                           Case{"f64", "LAMB", 3, 2}),
                         name_of);

}  // namespace
}  // namespace boostr
