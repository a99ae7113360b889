#include <gtest/gtest.h>

#include "tests/trainer/data_files.h"
#include "tests/trainer/trained_bits.h"
#include "trainer/recipe_load.h"

// With optimizer.post_validation every step has the bits that it has without, whether its update
// stood or was taken back.
namespace boostr {
namespace {

struct Setting {
  const char* name;
  int ranks;
  std::vector<std::string> overrides;
};

void PrintTo(const Setting& setting, std::ostream* out) { *out << setting.name; }

constexpr int steps = 8;

const std::vector<Setting> settings = {
    {"alone", 1, {}},
    {"pp2_zb_h2",
     2,
     {"parallelism.pipeline_parallel_degree=2", "parallelism.pipeline_parallel_schedule=zb_h2"}},
    {"pp4_zb_v_zero3",
     8,
     {"parallelism.pipeline_parallel_degree=4", "parallelism.pipeline_parallel_schedule=zb_v",
      "parallelism.pipeline_parallel_chunks=2", "parallelism.zero_stage=3"}},
    {"pp2_interleaved_1f1b_tp2_zero2_selective",
     8,
     {"parallelism.pipeline_parallel_degree=2",
      "parallelism.pipeline_parallel_schedule=interleaved_1f1b",
      "parallelism.pipeline_parallel_chunks=2", "parallelism.tensor_parallel_degree=2",
      "parallelism.zero_stage=2", "activation_checkpoint.mode=selective"}},
    {"pp2_auto_tied",
     2,
     {"parallelism.pipeline_parallel_degree=2", "parallelism.pipeline_parallel_schedule=auto",
      "parallelism.pipeline_parallel_memory_limit=2", "model.tie_word_embeddings=true"}},
    {"zero1", 2, {"parallelism.zero_stage=1"}},
    {"sgd", 2, {"optimizer.name=SGD", "optimizer.momentum=0.9", "parallelism.zero_stage=3"}},
};

class PostValidation : public ::testing::TestWithParam<Setting> {
 protected:
  /// The setting's recipe with more overrides.
  Recipe recipe(const TestFolder& folder, std::vector<std::string> more) const {
    const std::string yaml =
        text(R"(
output: /nonexistent/run
model: {vocab_size: 263, hidden_size: 24, num_hidden_layers: 6, num_attention_heads: 4,
  num_key_value_heads: 2, intermediate_size: 70}
data: {train: [{text: )",
             folder.write("text.txt", prose()), R"(}], validation_fraction: 0.1}
optimizer: {name: AdamW, lr: 0.01, weight_decay: 0.1}
training: {steps: 8, seq_len: 12, micro_batch_size: 1, threads: 1, global_batch_size: 12}
parallelism: {bucket_bytes: 30000}
)");
    std::vector<std::string> overrides = GetParam().overrides;
    overrides.insert(overrides.end(), more.begin(), more.end());
    return parse_recipe("r.yaml", yaml, overrides).recipe;
  }

  /// Trains with and without it, and expects the same.
  SettledSteps expect_same_bits(const std::vector<std::string>& overrides) const {
    const TestFolder folder;
    Recipe with = recipe(folder, overrides), without = with;
    with.optimizer.post_validation = true;
    SettledSteps counts, counts_without;
    const TrainedBits bits = train_bits(with, GetParam().ranks, steps, &counts);
    const TrainedBits expected = train_bits(without, GetParam().ranks, steps, &counts_without);
    EXPECT_EQ(bits, expected);
    EXPECT_FALSE(bits.state.empty());
    EXPECT_EQ(counts.settled, steps);
    EXPECT_EQ(counts.skipped, counts_without.skipped);
    EXPECT_EQ(counts_without.late + counts_without.redone, 0);
    return counts;
  }

  /// A bound that the norm of the first step keeps and a later one does not.
  double bound_exceeded_late(const std::vector<std::string>& overrides) const {
    const TestFolder folder;
    const TrainedBits bits = train_bits(recipe(folder, overrides), GetParam().ranks, steps);
    double most = bits.numbers[1];
    for (std::size_t step = 1; step < steps; ++step) {
      const double norm = bits.numbers[3 * step + 1];
      if (norm > most) return (norm + most) / 2;
    }
    ADD_FAILURE() << "no norm is larger than the first step's";
    return most;
  }
};

TEST_P(PostValidation, LeavesEveryUpdateThatNeedsNoClipping) {
  const SettledSteps counts = expect_same_bits({"training.max_norm=0", "precision.compute=f32"});
  EXPECT_EQ(counts.redone, 0);
  EXPECT_EQ(counts.late, steps - 1);
}

TEST_P(PostValidation, TakesBackAnUpdateWhoseGradientHadToBeClipped) {
  // So fast that the norm grows.
  std::vector<std::string> overrides = {"optimizer.lr=0.3", "training.max_norm=0"};
  overrides.back() = text("training.max_norm=", bound_exceeded_late(overrides));
  const SettledSteps counts = expect_same_bits(overrides);
  EXPECT_GT(counts.redone, 0);
}

TEST_P(PostValidation, TakesBackAnUpdateThatWasNotFinite) {
  // The loss scale grows until f16 overflows.
  const SettledSteps counts =
      expect_same_bits({"training.max_norm=0", "precision.compute=f16",
                        "precision.initial_loss_scale=4194304", "precision.loss_scale_window=1"});
  EXPECT_GT(counts.skipped, 0);
  EXPECT_GT(counts.redone, 0);
}

TEST_P(PostValidation, EndsWhereTheRecipeWantsItWithTheWeightsOfBefore) {
  const TestFolder folder;
  Recipe exploding = recipe(folder, {"training.max_norm=0", "optimizer.lr=1e30",
                                     "optimizer.weight_decay=0", "training.non_finite=stop"});
  exploding.optimizer.post_validation = true;
  try {
    train_bits(exploding, GetParam().ranks, steps);
    FAIL() << "trained with a learning rate of 1e30";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::numeric);
    EXPECT_NE(std::string(e.what()).find("the weights are as before this step"), std::string::npos)
        << e.what();
  }
}

INSTANTIATE_TEST_SUITE_P(Settings, PostValidation, ::testing::ValuesIn(settings),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace boostr
