#include <gtest/gtest.h>

#include "parallel/comm/threads.h"
#include "tests/trainer/checkpoint_fixture.h"
#include "trainer/checkpoint/checkpoint_reader.h"
#include "trainer/checkpoint/checkpoint_writer.h"

namespace boostr::test {
namespace {

CheckpointOptions options_in(const fs::path& output) {
  return {.folder = output / "checkpoints",
          .keep_latest_k = 3,
          .copy_threads = 2,
          .code_version = "test",
          .files = FileOps()};
}

/// Which part of the model a rank holds.
using Layout = std::function<std::vector<CheckpointTensor>(const Held&, int rank, int ranks)>;

std::vector<CheckpointTensor> dealt(const Held& model, int rank, int ranks) {
  return deal_out(model.tensors(), rank, ranks);
}

/// Saves the whole model, filled with `round`, each rank the part that deal_out gives it.
void save_dealt(const fs::path& output, int ranks, const std::vector<TensorSpec>& specs,
                int round) {
  run_ranks(ranks, [&](Communicator& world) {
    Held model = whole(specs);
    model.fill(round);
    CheckpointWriter writer(world, options_in(output));
    writer.save(dealt(model, world.rank(), world.size()), state_at(50));
  });
}

/// Memory for this rank's part when tensors are cut along `axis`.
Held cut_along(int axis, const std::vector<TensorSpec>& specs, int rank, int ranks) {
  Held held;
  for (const TensorSpec& spec : specs) {
    const int at = std::min(axis, spec.shape.num_dims() - 1);
    std::vector<std::int64_t> offset(static_cast<std::size_t>(spec.shape.num_dims()), 0);
    std::vector<std::int64_t> dims(spec.shape.dims().begin(), spec.shape.dims().end());
    const std::int64_t begin = spec.shape[at] * rank / ranks,
                       end = spec.shape[at] * (rank + 1) / ranks;
    offset[static_cast<std::size_t>(at)] = begin;
    dims[static_cast<std::size_t>(at)] = end - begin;
    held.add(spec, offset, Shape(std::span<const std::int64_t>(dims)));
  }
  return held;
}

/// Memory for this rank's slice of every flattened tensor.
Held sliced(const std::vector<TensorSpec>& specs, int rank, int ranks) {
  Held held;
  for (const TensorSpec& spec : specs) {
    const std::int64_t begin = spec.shape.numel() * rank / ranks,
                       end = spec.shape.numel() * (rank + 1) / ranks;
    held.add(spec, {begin}, Shape{end - begin});
  }
  return held;
}

using Make = std::function<Held(const std::vector<TensorSpec>&, int rank, int ranks)>;

void expect_loads(const fs::path& output, int ranks, const std::vector<TensorSpec>& specs,
                  const Make& make, int round) {
  run_ranks(ranks, [&](Communicator& world) {
    const ResumeChoice choice = choose_checkpoint(world, output, "auto");
    ASSERT_TRUE(choice.checkpoint.has_value());
    const Held held = make(specs, world.rank(), world.size());
    choice.checkpoint->load(world, held.tensors());
    EXPECT_EQ(held.wrong(round), 0) << "rank " << world.rank() << " of " << world.size();
  });
}

std::vector<TensorSpec> every_dtype() {
  std::vector<TensorSpec> specs;
  for (const DType dtype :
       {DType::f32, DType::bf16, DType::f16, DType::f64, DType::i32, DType::i64, DType::u8}) {
    specs.push_back({"parameters", text("w.", dtype), {37, 129}, dtype});
    specs.push_back({"optimizer/exp_avg", text("w.", dtype), {3, 5, 7}, dtype});
  }
  return specs;
}

const Make whole_on_each = [](const std::vector<TensorSpec>& specs, int, int) {
  return whole(specs);
};

TEST(CheckpointRoundTrip, EveryDtypeComesBack) {
  const TemporaryFolder output;
  save_dealt(output.path(), 1, every_dtype(), 3);
  expect_loads(output.path(), 1, every_dtype(), whole_on_each, 3);
}

TEST(CheckpointRoundTrip, AnyNumberOfRanksLoadsAnyOther) {
  for (const int writers : {1, 2, 3}) {
    const TemporaryFolder output;
    save_dealt(output.path(), writers, small_model(), writers);
    for (const int readers : {1, 2, 3})
      expect_loads(output.path(), readers, small_model(), whole_on_each, writers);
  }
}

TEST(CheckpointRoundTrip, AnyLayoutLoadsAnyOther) {
  const std::vector<Make> layouts = {
      [](const auto& specs, int rank, int ranks) { return cut_along(0, specs, rank, ranks); },
      [](const auto& specs, int rank, int ranks) { return cut_along(1, specs, rank, ranks); },
      sliced};
  for (std::size_t from = 0; from < layouts.size(); ++from) {
    const TemporaryFolder output;
    run_ranks(2, [&](Communicator& world) {
      Held held = layouts[from](small_model(), world.rank(), world.size());
      held.fill(5);
      CheckpointWriter writer(world, options_in(output.path()));
      writer.save(held.tensors(), state_at(50));
    });
    for (const Make& to : layouts) expect_loads(output.path(), 3, small_model(), to, 5);
  }
}

TEST(CheckpointRoundTrip, StateAndRecipeComeBack) {
  const TemporaryFolder output;
  save_dealt(output.path(), 2, small_model(), 1);
  run_ranks(1, [&](Communicator& world) {
    const ResumeChoice choice = choose_checkpoint(world, output.path(), "auto");
    EXPECT_EQ(choice.checkpoint->state().step, 50);
    EXPECT_EQ(choice.checkpoint->state().recipe, state_at(50).recipe);
    EXPECT_EQ(choice.checkpoint->state().data_cursor, state_at(50).data_cursor);
  });
}

TEST(CheckpointRoundTrip, FolderHoldsWhatTheFormatSays) {
  const TemporaryFolder output;
  save_dealt(output.path(), 2, small_model(), 1);
  EXPECT_EQ(names_in(output.path() / "checkpoints"), std::vector<std::string>{"step-000050"});
  EXPECT_EQ(
      names_in(output.path() / "checkpoints/step-000050"),
      (std::vector<std::string>{"manifest.json", "rank-00000.h5", "rank-00001.h5", "recipe.yaml"}));
}

TEST(CheckpointRoundTrip, SameStateGivesTheSameBytesAsynchronously) {
  const TemporaryFolder at_once, later;
  save_dealt(at_once.path(), 1, small_model(), 1);
  run_ranks(1, [&](Communicator& world) {
    Held model = whole(small_model());
    model.fill(1);
    CheckpointWriter writer(world, options_in(later.path()));
    writer.begin(model.tensors(), state_at(50));
    model.fill(2);  // training goes on: the copy must not see it
    writer.commit();
  });
  for (const char* name : {"manifest.json", "rank-00000.h5", "recipe.yaml"}) {
    const fs::path file = fs::path("checkpoints/step-000050") / name;
    EXPECT_EQ(read_text(at_once.path() / file), read_text(later.path() / file)) << name;
  }
}

/// The message when a run with `specs` loads what `small_model` saved, as rank 0 of `ranks` sees
/// it.
std::string load_failure(const std::vector<TensorSpec>& specs, int ranks = 1) {
  const TemporaryFolder output;
  save_dealt(output.path(), 1, small_model(), 1);
  return message_of([&] {
    run_ranks(ranks, [&](Communicator& world) {
      const ResumeChoice choice = choose_checkpoint(world, output.path(), "auto");
      const Held held = whole(specs);
      choice.checkpoint->load(world, held.tensors());
    });
  });
}

TEST(CheckpointLoad, MissingTensorIsNamed) {
  std::vector<TensorSpec> specs = small_model();
  specs.push_back({"parameters", "model.layers.1.extra", {4}});
  EXPECT_NE(load_failure(specs).find("no tensor parameters/model.layers.1.extra"),
            std::string::npos);
}

TEST(CheckpointLoad, TensorThatTheRunDoesNotHaveIsNamed) {
  std::vector<TensorSpec> specs = small_model();
  specs.pop_back();
  EXPECT_NE(load_failure(specs).find("optimizer/exp_avg_sq/model.norm.weight"), std::string::npos);
}

TEST(CheckpointLoad, OtherShapeIsNamedWithBothShapes) {
  std::vector<TensorSpec> specs = small_model();
  specs[0].shape = {53, 32};
  const std::string message = load_failure(specs, 2);
  EXPECT_NE(message.find("parameters/model.embed_tokens.weight has the shape [53, 16]"),
            std::string::npos)
      << message;
  EXPECT_NE(message.find("[53, 32]"), std::string::npos) << message;
}

TEST(CheckpointLoad, OtherTypeIsNamedWithBothTypes) {
  std::vector<TensorSpec> specs = small_model();
  specs[0].dtype = DType::f64;
  const std::string message = load_failure(specs);
  EXPECT_NE(message.find("is f32"), std::string::npos) << message;
  EXPECT_NE(message.find("f64"), std::string::npos) << message;
}

TEST(CheckpointLoad, GroupsThatNobodyAsksForAreNotMissed) {
  std::vector<TensorSpec> specs = small_model();
  specs.resize(4);  // the parameters alone
  EXPECT_EQ(load_failure(specs), "");
}

}  // namespace
}  // namespace boostr::test
