#include <gtest/gtest.h>

#include <array>
#include <map>

#include "parallel/comm/threads.h"
#include "tests/trainer/checkpoint_fixture.h"
#include "tests/trainer/data_files.h"
#include "trainer/checkpoint/checkpoint_folder.h"
#include "trainer/checkpoint/checkpoint_reader.h"
#include "trainer/checkpoint/checkpoint_writer.h"
#include "trainer/checkpoint/hash.h"
#include "trainer/recipe_load.h"
#include "trainer/run_start.h"
#include "trainer/trainer.h"

// A checkpoint of any mesh continues on any other: the same state, the same samples, the same losses.
namespace boostr::test {
namespace {

struct MeshCase {
  const char* name;
  int ranks, zero_stage, tensor_parallel, stages = 1;
  const char* schedule = "1f1b";
};
constexpr std::array meshes = {MeshCase{"one", 1, 0, 1},
                               MeshCase{"dp2", 2, 0, 1},
                               MeshCase{"dp4_zero1", 4, 1, 1},
                               MeshCase{"dp4_zero3", 4, 3, 1},
                               MeshCase{"tp2", 2, 0, 2},
                               MeshCase{"dp2_tp2_zero2", 4, 2, 2},
                               MeshCase{"dp3_zero3", 3, 3, 1},
                               MeshCase{"pp2", 2, 0, 1, 2, "zb_h1"},
                               MeshCase{"pp2_dp2_zero3", 4, 3, 1, 2, "zb_v"},
                               MeshCase{"pp4_tp2", 8, 0, 2, 4, "1f1b"}};

constexpr int steps_before = 4, steps_after = 20;

/// Text that all cases train on, and checkpoints and losses that many of them need.
class Runs {
 public:
  static Runs& instance() {
    static Runs runs;
    return runs;
  }

  /// Losses of `steps` steps of one process that nothing interrupts.
  const std::vector<double>& uninterrupted() {
    if (losses_.empty()) {
      on(meshes[0], [&](Communicator&, Trainer& trainer) {
        for (int i = 0; i < steps_before + steps_after; ++i) losses_.push_back(trainer.step().loss);
      });
    }
    return losses_;
  }

  /// The checkpoint of step `steps_before` on this mesh.
  fs::path checkpoint_of(const MeshCase& mesh) {
    const fs::path output = folder_.path() / mesh.name;
    const fs::path checkpoint = output / text("step-00000", steps_before);
    if (fs::exists(checkpoint)) return checkpoint;
    on(mesh, [&](Communicator& world, Trainer& trainer) {
      for (int i = 0; i < steps_before; ++i) trainer.step();
      save(world, trainer, output);
    });
    return checkpoint;
  }

  static void save(Communicator& world, Trainer& trainer, const fs::path& output) {
    CheckpointWriter writer(world, {.folder = output, .code_version = "test", .files = FileOps()});
    TrainingState state = trainer.training_state();
    state.recipe = "of a test\n";
    writer.save(trainer.checkpoint_tensors(), state);
  }

  /// body(world, trainer) on every rank of the mesh.
  template <class Body>
  void on(const MeshCase& mesh, Body&& body) {
    run_ranks(mesh.ranks, [&](Communicator& world) {
      TrainingSetup setup(recipe_on(mesh), world);
      Trainer trainer(setup.recipe, setup.mesh, setup.dataset);
      body(world, trainer);
    });
  }

 private:
  Runs() { write_text(folder_.path() / "text.txt", prose()); }

  Recipe recipe_on(const MeshCase& mesh) const {
    return parse_recipe("r.yaml",
                        text(R"(
output: /nonexistent/run
model: {vocab_size: 263, hidden_size: 48, num_hidden_layers: 2, num_attention_heads: 4,
  num_key_value_heads: 2, intermediate_size: 150, tie_word_embeddings: true}
optimizer: {name: AdamW, lr: 0.01, weight_decay: 0.1}
precision: {compute: f64}
training: {steps: 24, seq_len: 12, micro_batch_size: 1, max_norm: 0.5, threads: 1,
  global_batch_size: 12}
data: {train: [{text: ")",
                             (folder_.path() / "text.txt").string(), R"("}]}
parallelism: {bucket_bytes: 100000, zero_stage: )",
                             mesh.zero_stage, ", tensor_parallel_degree: ", mesh.tensor_parallel,
                             ", sequence_parallel: ", mesh.tensor_parallel > 1 ? "true" : "false",
                             ", pipeline_parallel_degree: ", mesh.stages,
                             ", pipeline_parallel_schedule: ", mesh.schedule, "}\n"))
        .recipe;
  }

  TemporaryFolder folder_;
  std::vector<double> losses_;
};

/// The hash of all tensors of a checkpoint, put together, by name; and of the data cursor.
std::string hash_of_state(const fs::path& checkpoint) {
  const Manifest manifest = verify_checkpoint(checkpoint);
  const CheckpointReader reader(checkpoint, manifest);
  std::map<std::string, CheckpointTensor> wholes;
  for (const FileRecord& file : manifest.files)
    for (const TensorRecord& record : file.tensors)
      wholes[record.group + "/" + record.name] = {
          record.group,
          record.name,
          record.region.global_shape,
          std::vector<std::int64_t>(
              static_cast<std::size_t>(record.region.global_shape.num_dims())),
          {nullptr, record.dtype, record.region.global_shape}};
  std::string bytes = reader.state().data_cursor;
  for (auto& [name, whole] : wholes) {
    std::vector<double> memory(static_cast<std::size_t>(whole.global_shape.numel()));
    whole.local.data = memory.data();
    reader.read(whole);
    bytes += name;
    bytes.append(reinterpret_cast<const char*>(memory.data()), memory.size() * sizeof(double));
  }
  EXPECT_EQ(wholes.size(), 3u * (2 * 9 + 2));
  return hash128(bytes);
}

using Move = std::pair<std::size_t, std::size_t>;

class BetweenMeshes : public ::testing::TestWithParam<Move> {};

TEST_P(BetweenMeshes, AModelMovesWithItsOptimizerAndItsPlaceInTheData) {
  const MeshCase& from = meshes[GetParam().first];
  const MeshCase& to = meshes[GetParam().second];
  Runs& runs = Runs::instance();
  const fs::path checkpoint = runs.checkpoint_of(from);
  const std::vector<double>& expected = runs.uninterrupted();
  const TemporaryFolder again;
  std::vector<double> losses;
  runs.on(to, [&](Communicator& world, Trainer& trainer) {
    const CheckpointReader reader(checkpoint, verify_checkpoint(checkpoint));
    reader.load(world, trainer.tensors_to_load());
    EXPECT_TRUE(trainer.restore(reader.state()).empty());
    Runs::save(world, trainer, again.path());
    for (int i = 0; i < steps_after; ++i) {
      const double loss = trainer.step().loss;
      if (world.rank() == 0) losses.push_back(loss);
    }
  });
  EXPECT_EQ(hash_of_state(again.path() / checkpoint.filename()), hash_of_state(checkpoint));
  ASSERT_EQ(losses.size(), std::size_t{steps_after});
  for (std::size_t i = 0; i < losses.size(); ++i)
    EXPECT_NEAR(losses[i], expected[i + steps_before], 1e-10 * expected[i + steps_before]) << i;
}

std::vector<Move> moves() {
  std::vector<Move> all;
  for (std::size_t from = 0; from < meshes.size(); ++from)
    for (std::size_t to = 0; to < meshes.size(); ++to) all.emplace_back(from, to);
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, BetweenMeshes, ::testing::ValuesIn(moves()),
                         [](const ::testing::TestParamInfo<Move>& info) {
                           return text(meshes[info.param.first].name, "_to_",
                                       meshes[info.param.second].name);
                         });

}  // namespace
}  // namespace boostr::test
