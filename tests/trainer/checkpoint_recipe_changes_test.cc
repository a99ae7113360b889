#include <gtest/gtest.h>

#include "tests/trainer/checkpoint_fixture.h"
#include "trainer/checkpoint/recipe_changes.h"

namespace boostr::test {
namespace {

const std::string base = R"(output: runs/a
model: {type: llama, vocab_size: 256, hidden_size: 256, num_hidden_layers: 4, rms_norm_eps: 1e-05, tie_word_embeddings: false}
data: {train: [{text: a.txt, weight: 1.0}, {text: b.txt, weight: 2.0}], validation_fraction: 0.02}
tokenizer: {type: byte}
optimizer: {name: AdamW, lr: 3.0e-3, betas: [0.9, 0.95]}
lr_schedule: {decay: cosine, warmup_steps: 20}
training: {steps: 200, seq_len: 256, micro_batch_size: 4, global_batch_size: 8, seed: 1234}
precision: {compute: bf16}
parallelism: {zero_stage: 0}
checkpoint: {interval: 50}
metrics: {interval: 10}
)";

std::vector<RecipeChange> change(const std::string& from, const std::string& to) {
  std::string changed = base;
  const std::size_t at = changed.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return compare_recipes(base, changed.replace(at, from.size(), to));
}

struct Case {
  const char* from;
  const char* to;
  const char* key;
};

TEST(RecipeChanges, SameRecipeHasNone) {
  EXPECT_TRUE(compare_recipes(base, base).empty());
  EXPECT_TRUE(change("lr: 3.0e-3", "lr: 0.003").empty()) << "the same number written otherwise";
}

TEST(RecipeChanges, AllowedOnesAreListedWithBothValues) {
  const Case cases[] = {{"steps: 200", "steps: 300", "training.steps"},
                        {"lr: 3.0e-3", "lr: 1.0e-3", "optimizer.lr"},
                        {"decay: cosine", "decay: wsd", "lr_schedule.decay"},
                        {"weight: 2.0", "weight: 3.0", "data.train[1].weight"},
                        {"interval: 50", "interval: 25", "checkpoint.interval"},
                        {"interval: 10", "interval: 5", "metrics.interval"},
                        {"compute: bf16", "compute: f32", "precision.compute"},
                        {"zero_stage: 0", "zero_stage: 1", "parallelism.zero_stage"},
                        {"micro_batch_size: 4", "micro_batch_size: 2", "training.micro_batch_size"},
                        {"runs/a", "runs/b", "output"},
                        {"[0.9, 0.95]", "[0.9, 0.99]", "optimizer.betas[1]"}};
  for (const Case& c : cases) {
    const auto changes = change(c.from, c.to);
    ASSERT_EQ(changes.size(), 1u) << c.key;
    EXPECT_EQ(changes[0].key, c.key);
    EXPECT_EQ(changes[0].refusal, "") << c.key;
    EXPECT_NE(changes[0].before, changes[0].now);
    EXPECT_NO_THROW(require_resumable(changes));
  }
}

TEST(RecipeChanges, RefusedOnesAreNamed) {
  const Case cases[] = {
      {"hidden_size: 256", "hidden_size: 512", "model.hidden_size"},
      {"num_hidden_layers: 4", "num_hidden_layers: 5", "model.num_hidden_layers"},
      {"vocab_size: 256", "vocab_size: 300", "model.vocab_size"},
      {"tie_word_embeddings: false", "tie_word_embeddings: true", "model.tie_word_embeddings"},
      {"rms_norm_eps: 1e-05", "rms_norm_eps: 1e-06", "model.rms_norm_eps"},
      {"type: byte", "type: bpe", "tokenizer.type"},
      {"name: AdamW", "name: SGD", "optimizer.name"},
      {"seq_len: 256", "seq_len: 128", "training.seq_len"},
      {"seed: 1234", "seed: 1", "training.seed"},
      {"text: b.txt", "text: c.txt", "data.train[1].text"},
      {"validation_fraction: 0.02", "validation_fraction: 0", "data.validation_fraction"},
      {"compute: bf16", "compute: f64", "precision.compute"},
      {"metrics: {interval: 10}", "metrics: {interval: 10}\nsurprise: 1", "surprise"}};
  for (const Case& c : cases) {
    const auto changes = change(c.from, c.to);
    ASSERT_EQ(changes.size(), 1u) << c.key;
    EXPECT_EQ(changes[0].key, c.key);
    const std::string message = message_of([&] { require_resumable(changes); });
    EXPECT_NE(message.find(text(c.key, ": ")), std::string::npos) << c.key << ": " << message;
  }
}

TEST(RecipeChanges, AllRefusedOnesComeInOneMessage) {
  const auto changes = compare_recipes(base, "model: {type: mamba2}\n");
  const std::string message = message_of([&] { require_resumable(changes); });
  EXPECT_NE(message.find("model.type: llama -> mamba2"), std::string::npos) << message;
  EXPECT_NE(message.find("model.hidden_size: 256 -> (none)"), std::string::npos) << message;
}

TEST(RecipeChanges, BombsAndRubbishAreErrors) {
  EXPECT_NE(message_of([] { compare_recipes("[1, 2]", base); }), "");
  EXPECT_NE(message_of([] { compare_recipes("a: [", base); }), "");
  std::string deep = "a: ";
  for (int i = 0; i < 100; ++i) deep += '[';
  for (int i = 0; i < 100; ++i) deep += ']';
  EXPECT_NE(message_of([&] { compare_recipes(deep, base); }), "");
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    bomb += text("a", i, ": &a", i, " [");
    for (int j = 0; j < 9; ++j) bomb += text(j > 0 ? ", " : "", "*a", i - 1);
    bomb += "]\n";
  }
  EXPECT_NE(message_of([&] { compare_recipes(bomb, base); }), "");
}

}  // namespace
}  // namespace boostr::test
