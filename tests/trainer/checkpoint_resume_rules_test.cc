#include <gtest/gtest.h>

#include <functional>

#include "tests/trainer/checkpoint_fixture.h"
#include "trainer/checkpoint/resume_rules.h"

namespace boostr::test {
namespace {

Recipe base() {
  Recipe recipe;
  recipe.output = "runs/a";
  recipe.data.train.resize(2);
  recipe.data.train[0].text = "a.txt";
  recipe.data.train[1].text = "b.txt";
  return recipe;
}

struct Case {
  std::string key;
  std::function<void(Recipe&)> change;
};

std::vector<ResumeChange> after(const std::function<void(Recipe&)>& change) {
  Recipe now = base();
  change(now);
  return resume_changes(base(), now);
}

TEST(ResumeRules, SameRecipeHasNoChanges) { EXPECT_TRUE(resume_changes(base(), base()).empty()); }

TEST(ResumeRules, AllowedChangesAreListedWithBothValues) {
  const std::vector<Case> cases = {
      {"output", [](Recipe& r) { r.output = "runs/b"; }},
      {"training.steps", [](Recipe& r) { r.training.steps *= 2; }},
      {"training.micro_batch_size", [](Recipe& r) { r.training.micro_batch_size = 4; }},
      {"training.global_batch_size", [](Recipe& r) { r.training.global_batch_size = 64; }},
      {"training.max_norm", [](Recipe& r) { r.training.max_norm = 2; }},
      {"optimizer.lr", [](Recipe& r) { r.optimizer.lr = 1e-3; }},
      {"optimizer.weight_decay", [](Recipe& r) { r.optimizer.weight_decay = 0; }},
      {"lr_schedule.decay", [](Recipe& r) { r.lr_schedule.decay = "linear"; }},
      {"lr_schedule.warmup_steps", [](Recipe& r) { r.lr_schedule.warmup_steps = 5; }},
      {"data.train.1.weight", [](Recipe& r) { r.data.train[1].weight = 3; }},
      {"data.train.1.text", [](Recipe& r) { r.data.train[1].text = "c.txt"; }},
      {"precision.compute", [](Recipe& r) { r.precision.compute = "f32"; }},
      {"parallelism.tensor_parallel_degree",
       [](Recipe& r) { r.parallelism.tensor_parallel_degree = 2; }},
      {"checkpoint.interval", [](Recipe& r) { r.checkpoint.interval = 5; }},
      {"metrics.interval", [](Recipe& r) { r.metrics.interval = 5; }},
      {"model.rope_theta", [](Recipe& r) { r.model.llama.rope_theta = 5e5; }},
  };
  for (const Case& c : cases) {
    const std::vector<ResumeChange> changes = after(c.change);
    ASSERT_EQ(changes.size(), 1u) << c.key;
    EXPECT_EQ(changes[0].change.path, c.key);
    EXPECT_EQ(changes[0].refusal, "") << c.key;
    EXPECT_NE(changes[0].change.before, changes[0].change.after) << c.key;
    EXPECT_NO_THROW(require_resumable(changes));
  }
}

TEST(ResumeRules, MomentumMayEndButNotBegin) {
  Recipe with = base(), without = base();
  with.optimizer.name = without.optimizer.name = "SGD";
  without.optimizer.momentum = 0;
  EXPECT_NO_THROW(require_resumable(resume_changes(with, without)));
  EXPECT_THROW(require_resumable(resume_changes(without, with)), Error);
}

TEST(ResumeRules, AMissingValueIsShownAsNone) {
  EXPECT_EQ(values_of({"training.steps", "200", "400"}), "200 -> 400");
  EXPECT_EQ(values_of({"data.train.1.text", "", "b.txt"}), "(none) -> b.txt");
}

TEST(ResumeRules, RefusedChangesAreNamed) {
  const std::vector<Case> cases = {
      {"model.type", [](Recipe& r) { r.model.type = "mamba2"; }},
      {"model.vocab_size", [](Recipe& r) { r.model.llama.vocab_size = 300; }},
      {"model.hidden_size", [](Recipe& r) { r.model.llama.hidden_size = 512; }},
      {"model.num_hidden_layers", [](Recipe& r) { r.model.llama.num_hidden_layers = 3; }},
      {"model.intermediate_size", [](Recipe& r) { r.model.llama.intermediate_size = 300; }},
      {"model.tie_word_embeddings", [](Recipe& r) { r.model.llama.tie_word_embeddings = true; }},
      {"model.mlp_bias", [](Recipe& r) { r.model.llama.mlp_bias = true; }},
      {"model.qk_norm", [](Recipe& r) { r.model.llama.qk_norm = true; }},
      {"model.rms_norm_eps", [](Recipe& r) { r.model.llama.rms_norm_eps = 1e-3; }},
      {"model.hidden_act", [](Recipe& r) { r.model.llama.hidden_act = "gelu"; }},
      {"data.packing", [](Recipe& r) { r.data.packing = true; }},
      {"data.validation_fraction", [](Recipe& r) { r.data.validation_fraction = 0.5; }},
      {"tokenizer.type", [](Recipe& r) { r.tokenizer.type = "bpe"; }},
      {"training.seq_len", [](Recipe& r) { r.training.seq_len = 77; }},
      {"training.seed", [](Recipe& r) { r.training.seed = 77; }},
      {"precision.compute", [](Recipe& r) { r.precision.compute = "f64"; }},
  };
  for (const Case& c : cases) {
    const std::vector<ResumeChange> changes = after(c.change);
    const std::string message = message_of([&] { require_resumable(changes); });
    EXPECT_NE(message.find(text("\n  ", c.key, ": ")), std::string::npos)
        << c.key << ": " << message;
  }
}

TEST(ResumeRules, OtherOptimizerIsRefused) {
  const std::string message =
      message_of([] { require_resumable(after([](Recipe& r) { r.optimizer.name = "SGD"; })); });
  EXPECT_NE(message.find("optimizer.name: AdamW -> SGD"), std::string::npos) << message;
}

TEST(ResumeRules, AllRefusedChangesComeInOneMessage) {
  const std::string message = message_of([] {
    require_resumable(after([](Recipe& r) {
      r.model.llama.hidden_size = 512;
      r.training.seq_len = 77;
      r.training.steps = 1;
    }));
  });
  EXPECT_NE(message.find("model.hidden_size: 4096 -> 512 (it changes the model's shape"),
            std::string::npos)
      << message;
  EXPECT_NE(message.find("training.seq_len"), std::string::npos) << message;
  EXPECT_EQ(message.find("training.steps"), std::string::npos) << message;
}

}  // namespace
}  // namespace boostr::test
