#include <gtest/gtest.h>

#include <array>

#include "tests/trainer/all_pairs.h"
#include "tests/trainer/data_files.h"
#include "tests/trainer/expect_parity.h"
#include "trainer/recipe_load.h"

// Every mesh trains as one process does: loss, every gradient and every updated parameter, in f64.
// The suite Pairs has cells in which every two values of different axes meet; DISABLED_All the whole
// product (--gtest_also_run_disabled_tests).
namespace boostr {
namespace {

struct DataParallel {
  const char* name;
  int replicate, shard;
};
struct Tensors {
  const char* name;
  int degree;
  bool sequence_parallel;
};

constexpr std::array zero_stages = {0, 1, 2, 3};
constexpr std::array data_parallel = {DataParallel{"replicate2", 2, 1},
                                      DataParallel{"shard2", 1, 2},
                                      DataParallel{"hybrid2x2", 2, 2}};
constexpr std::array tensor_parallel = {Tensors{"tp1", 1, false}, Tensors{"tp2", 2, false},
                                        Tensors{"tp2sp", 2, true}, Tensors{"tp4", 4, false},
                                        Tensors{"tp4sp", 4, true}};
constexpr std::array recompute_modes = {"none", "selective", "full"};
constexpr std::array tied = {false, true};
constexpr std::array accumulation = {1, 3};

std::vector<Cell> every_cell() {
  return all_cells({zero_stages.size(), data_parallel.size(), tensor_parallel.size(),
                    recompute_modes.size(), tied.size(), accumulation.size()},
                   [](const Cell&) { return true; });
}

std::string name_of(const ::testing::TestParamInfo<Cell>& info) {
  const Cell& c = info.param;
  return text("zero", zero_stages[c[0]], "_", data_parallel[c[1]].name, "_",
              tensor_parallel[c[2]].name, "_", recompute_modes[c[3]], tied[c[4]] ? "_tied" : "",
              "_accumulate", accumulation[c[5]]);
}

/// A model whose matrices are cut within chunks, between them, and unevenly.
std::string recipe_text(const Cell& c, const std::string& file) {
  const DataParallel& dp = data_parallel[c[1]];
  const Tensors& tp = tensor_parallel[c[2]];
  const int batch = 2 * dp.replicate * dp.shard * accumulation[c[5]];
  return text(R"(
output: /nonexistent/run
model: {vocab_size: 263, hidden_size: 48, num_hidden_layers: 2, num_attention_heads: 4,
  num_key_value_heads: 2, intermediate_size: 150, tie_word_embeddings: )",
              tied[c[4]] ? "true" : "false", "}\ndata: {train: [{text: ", file, R"(}]}
optimizer: {name: AdamW, lr: 0.01, weight_decay: 0.1}
precision: {compute: f64}
training: {steps: 5, seq_len: 12, micro_batch_size: 2, max_norm: 0.5, threads: 1, global_batch_size: )",
              batch, "}\nparallelism: {bucket_bytes: 100000, zero_stage: ", zero_stages[c[0]],
              ", data_parallel_replicate_degree: ", dp.replicate,
              ", data_parallel_shard_degree: ", dp.shard, ", tensor_parallel_degree: ", tp.degree,
              ", sequence_parallel: ", tp.sequence_parallel ? "true" : "false",
              "}\nactivation_checkpoint: {mode: ", recompute_modes[c[3]], "}\n");
}

class Parity : public ::testing::TestWithParam<Cell> {};

TEST_P(Parity, TrainsAsOneProcess) {
  const Cell& c = GetParam();
  const TestFolder folder;
  const Recipe recipe =
      parse_recipe("r.yaml", recipe_text(c, folder.write("text.txt", prose()))).recipe;
  const int ranks =
      data_parallel[c[1]].replicate * data_parallel[c[1]].shard * tensor_parallel[c[2]].degree;
  expect_parity(KeptSteps(recipe, 5), recipe, ranks, 1000000);
}

INSTANTIATE_TEST_SUITE_P(Pairs, Parity, ::testing::ValuesIn(cells_with_all_pairs(every_cell())),
                         name_of);
INSTANTIATE_TEST_SUITE_P(DISABLED_All, Parity, ::testing::ValuesIn(every_cell()), name_of);

}  // namespace
}  // namespace boostr
