#include <gtest/gtest.h>

#include <array>
#include <map>

#include "parallel/comm/threads.h"
#include "tests/trainer/all_pairs.h"
#include "tests/trainer/data_files.h"
#include "tests/trainer/expect_parity.h"
#include "tests/trainer/trained_bits.h"
#include "trainer/recipe_load.h"
#include "trainer/run_start.h"
#include "trainer/trainer.h"

// Every pipeline trains as one process does, in f64, and all schedules give the same bits. The suite
// Pairs has cells in which every two values of different axes meet; DISABLED_All the whole product
// (--gtest_also_run_disabled_tests).
namespace boostr {
namespace {

struct ScheduleCase {
  const char* kind;
  int chunks;
};
struct Tensors {
  const char* name;
  int degree;
  bool sequence_parallel;
};

constexpr std::array schedules = {ScheduleCase{"gpipe", 1}, ScheduleCase{"gpipe", 2},
                                  ScheduleCase{"gpipe", 4}, ScheduleCase{"1f1b", 1},
                                  ScheduleCase{"zb_h1", 1}, ScheduleCase{"zb_h2", 1},
                                  ScheduleCase{"zb_v", 2},  ScheduleCase{"interleaved_1f1b", 2},
                                  ScheduleCase{"auto", 1},  ScheduleCase{"interleaved_1f1b", 4},
                                  ScheduleCase{"auto", 2},  ScheduleCase{"auto", 4}};
constexpr std::array stages = {2, 4};
constexpr std::array microbatches = {"fewer", "equal", "more"};
constexpr std::array zero_stages = {0, 1, 2, 3};
constexpr std::array tensor_parallel = {Tensors{"tp1", 1, false}, Tensors{"tp2", 2, false},
                                        Tensors{"tp2sp", 2, true}};
struct Recompute {
  const char* name;
  const char* section;
};
constexpr std::array recompute_modes = {
    Recompute{"none", "mode: none"}, Recompute{"selective", "mode: selective"},
    Recompute{"full", "mode: full"},
    Recompute{"full_in_two_layers", "mode: full, layers: \"0,2\""}};
constexpr std::array tied = {false, true};

std::vector<Cell> every_cell() {
  return all_cells({schedules.size(), stages.size(), microbatches.size(), zero_stages.size(),
                    tensor_parallel.size(), recompute_modes.size(), tied.size()},
                   [](const Cell&) { return true; });
}

/// One value of each axis.
struct Pipeline {
  ScheduleCase schedule;
  int stages;
  const char* microbatches;
  int zero_stage;
  Tensors tensors;
  Recompute recompute;
  bool tied;

  explicit Pipeline(const Cell& c)
      : schedule(schedules[c[0]]),
        stages(boostr::stages[c[1]]),
        microbatches(boostr::microbatches[c[2]]),
        zero_stage(zero_stages[c[3]]),
        tensors(tensor_parallel[c[4]]),
        recompute(recompute_modes[c[5]]),
        tied(boostr::tied[c[6]]) {}

  /// ZeRO shares out over two ranks.
  int ranks() const { return 2 * stages * tensors.degree; }
  int num_microbatches() const {
    if (microbatches == std::string("fewer")) return stages - 1;
    return microbatches == std::string("equal") ? stages : 2 * stages + 1;
  }
  /// A layer more than virtual stages, or two fewer: cuts are uneven and the ends may have no layer.
  int layers() const {
    const int parts = stages * schedule.chunks;
    return parts > 4 ? parts - 2 : parts + 1;
  }
  std::string name() const {
    return text(schedule.kind, "_", schedule.chunks, "x", stages, "_", microbatches,
                "_microbatches_zero", zero_stage, "_", tensors.name, "_", recompute.name,
                tied ? "_tied" : "");
  }
  std::string recipe(const std::string& file) const {
    return text(
        R"(
output: /nonexistent/run
model: {vocab_size: 263, hidden_size: 24, num_hidden_layers: )",
        layers(), R"(, num_attention_heads: 4,
  num_key_value_heads: 2, intermediate_size: 70, tie_word_embeddings: )",
        tied ? "true" : "false", "}\ndata: {train: [{text: ", file, R"(}]}
optimizer: {name: AdamW, lr: 0.01, weight_decay: 0.1}
precision: {compute: f64}
training: {steps: 3, seq_len: 12, micro_batch_size: 1, max_norm: 0.5, threads: 1, global_batch_size: )",
        2 * num_microbatches(), "}\nparallelism: {bucket_bytes: 30000, zero_stage: ", zero_stage,
        ", tensor_parallel_degree: ", tensors.degree,
        ", sequence_parallel: ", tensors.sequence_parallel ? "true" : "false",
        ", pipeline_parallel_degree: ", stages,
        ", pipeline_parallel_memory_limit: 2, pipeline_parallel_schedule: ", schedule.kind,
        ", pipeline_parallel_chunks: ", schedule.chunks, "}\nactivation_checkpoint: {",
        recompute.section, "}\n");
  }
};

std::string name_of(const ::testing::TestParamInfo<Cell>& info) {
  return Pipeline(info.param).name();
}

class PipelineParity : public ::testing::TestWithParam<Cell> {};

/// Three steps in one process, which are the same for many pipelines.
const KeptSteps& reference_of(const Pipeline& pipeline, const Recipe& recipe) {
  static std::map<std::string, KeptSteps> known;
  const std::string what =
      text(pipeline.layers(), " layers, ", pipeline.num_microbatches(), " microbatches, ",
           pipeline.tied ? "tied, " : "", pipeline.recompute.name);
  return known.try_emplace(what, recipe, 3).first->second;
}

TEST_P(PipelineParity, TrainsAsOneProcess) {
  const Pipeline pipeline(GetParam());
  const TestFolder folder;
  const Recipe recipe =
      parse_recipe("r.yaml", pipeline.recipe(folder.write("text.txt", prose()))).recipe;
  expect_parity(reference_of(pipeline, recipe), recipe, pipeline.ranks(), 100000);
}

TEST(PipelineAuto, MakesAnotherScheduleFromTheTimesOfTheSecondStep) {
  const TestFolder folder;
  const Pipeline pipeline(Cell{8, 1, 2, 0, 0, 0, 0});
  const Recipe recipe =
      parse_recipe("r.yaml", pipeline.recipe(folder.write("text.txt", prose()))).recipe;
  run_ranks(pipeline.ranks(), [&](Communicator& world) {
    TrainingSetup setup(recipe, world);
    Trainer trainer(setup.recipe, setup.mesh, setup.dataset);
    trainer.step();
    EXPECT_EQ(trainer.pipeline().schedules_made(), 1);
    trainer.step();
    EXPECT_EQ(trainer.pipeline().schedules_made(), 2);
    trainer.step();
    EXPECT_EQ(trainer.pipeline().schedules_made(), 2);
    const std::vector<StageCosts>& costs = trainer.pipeline().layout().costs;
    EXPECT_GT(costs.front().forward, 0);
    EXPECT_LT(costs.front().forward, 60) << "seconds now, no FLOPs";
  });
}

INSTANTIATE_TEST_SUITE_P(Pairs, PipelineParity,
                         ::testing::ValuesIn(cells_with_all_pairs(every_cell())), name_of);
INSTANTIATE_TEST_SUITE_P(DISABLED_All, PipelineParity, ::testing::ValuesIn(every_cell()), name_of);

/// A schedule of every kind, in the cell with these other values and a model for all of them.
class PipelineBits : public ::testing::TestWithParam<Cell> {};

TEST_P(PipelineBits, AreThoseOfEverySchedule) {
  const TestFolder folder;
  const std::string file = folder.write("text.txt", prose());
  std::map<std::string, TrainedBits> results;
  for (const ScheduleCase& schedule : schedules) {
    if (schedule.chunks > 2) continue;
    Pipeline pipeline(GetParam());
    pipeline.schedule = schedule;
    const std::vector<std::string> more = {
        "model.num_hidden_layers=6", "data.validation_fraction=0.1",
        text("parallelism.pipeline_parallel_chunks=", schedule.chunks)};
    const Recipe recipe = parse_recipe("r.yaml", pipeline.recipe(file), more).recipe;
    results[text(schedule.kind, schedule.chunks)] = train_bits(recipe, pipeline.ranks(), 3);
  }
  const TrainedBits& expected = results.at("1f1b1");
  EXPECT_GT(expected.state.size(), 20U);
  for (const auto& [name, result] : results) EXPECT_TRUE(result == expected) << name;
}

// Tied embeddings, replicas without ZeRO; and shards, sequence parallelism and recomputation.
INSTANTIATE_TEST_SUITE_P(All, PipelineBits,
                         ::testing::Values(Cell{0, 0, 2, 0, 0, 0, 1}, Cell{0, 0, 2, 3, 2, 2, 1},
                                           Cell{0, 1, 0, 2, 0, 1, 0}),
                         name_of);

}  // namespace
}  // namespace boostr
