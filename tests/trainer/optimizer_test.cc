#include "trainer/optimizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "kernels/runtime/memory_ledger.h"
#include "ops/copy.h"
#include "parallel/comm/self.h"
#include "parallel/comm/threads.h"
#include "tests/trainer/data_files.h"

namespace boostr {
namespace {

OptimizerSection section(const std::string& name) {
  OptimizerSection section;
  section.name = name;
  section.lr = 0.1;
  section.weight_decay = 0.5;
  return section;
}

/// Parameters that one rank owns, with their values and gradients.
class Owned {
 public:
  /// One parameter, "w".
  Owned(const Shape& shape, DType dtype, double value, double grad)
      : Owned(std::vector{Parameter(shape, dtype, {})}) {
    fill(w().value(), value);
    fill(w().grad(), grad);
  }
  explicit Owned(std::vector<Parameter> parameters)
      : parameters_(std::move(parameters)),
        zero_(ModelShare({parameters_}), {*world_, *world_}, *world_, {}) {}

  const Parameter& w() const { return parameters_.front(); }
  Optimizer optimizer(const OptimizerSection& section, const std::string& offload_path = "") const {
    return Optimizer(section, zero_, offload_path);
  }

 private:
  std::unique_ptr<Communicator> world_ = self_world();
  std::vector<Parameter> parameters_;
  Zero zero_;
};

TEST(GroupSettings, DecayFallsOnTensorsOfTwoOrMoreDimensions) {
  const OptimizerSection s = section("AdamW");
  EXPECT_EQ(group_settings(s, "model.embed_tokens.weight", 2).weight_decay, 0.5);
  EXPECT_EQ(group_settings(s, "model.norm.weight", 1).weight_decay, 0.0);
  OptimizerSection everywhere = s;
  everywhere.decay_norms_and_biases = true;
  EXPECT_EQ(group_settings(everywhere, "model.norm.weight", 1).weight_decay, 0.5);
}

TEST(GroupSettings, TheFirstMatchingPatternWins) {
  OptimizerSection s = section("AdamW");
  s.groups = {{"*.layers.0.*", 0.25, 0.0}, {"*", 2.0, std::nullopt}};
  EXPECT_EQ(group_settings(s, "model.layers.0.mlp.up_proj.weight", 2).lr_factor, 0.25);
  EXPECT_EQ(group_settings(s, "model.layers.0.mlp.up_proj.weight", 2).weight_decay, 0.0);
  EXPECT_EQ(group_settings(s, "model.layers.1.mlp.up_proj.weight", 2).lr_factor, 2.0);
  EXPECT_EQ(group_settings(s, "model.layers.1.mlp.up_proj.weight", 2).weight_decay, 0.5);
}

// At step 1 mhat / sqrt(vhat) is the gradient's sign, so the update can be written down.
TEST(Optimizer, AdamWDecaysAndStepsByTheSignFirst) {
  const Owned owned({2, 3}, DType::f64, 2.0, -0.3);
  Optimizer optimizer = owned.optimizer(section("AdamW"));
  optimizer.step(1, 0.5, 1.0);
  const double expected = 2.0 - 0.05 * 0.5 * 2.0 + 0.05 * 0.3 / (0.3 + 1e-8);
  for (const double value : owned.w().value().values<double>()) EXPECT_NEAR(value, expected, 1e-14);
}

TEST(Optimizer, KeepsF32MastersOfBf16ParametersAndWritesThemBackRounded) {
  const Owned owned({1, 4}, DType::bf16, 0.0, 1.0);
  Optimizer optimizer = owned.optimizer(section("SGD"));
  fill(optimizer.state()[0].master, 1.0);
  optimizer.write_parameters();
  optimizer.step(1, 0.001, 1.0);
  const float master = optimizer.state()[0].master.values<float>()[0];
  EXPECT_NEAR(master, 1.0 - 0.0001 * (1.0 + 0.5), 1e-7);
  EXPECT_NE(master, 1.0f) << "a change too small for bf16 must survive in the master";
  EXPECT_EQ(static_cast<float>(owned.w().value().values<BFloat16>()[0]),
            static_cast<float>(BFloat16(master)));
}

TEST(Optimizer, SgdWithoutMomentumStepsByTheGradientAndKeepsNoMoment) {
  OptimizerSection s = section("SGD");
  s.momentum = 0;
  const Owned owned({2, 2}, DType::f64, 3.0, 0.7);
  Optimizer optimizer = owned.optimizer(s);
  EXPECT_FALSE(optimizer.state()[0].exp_avg.defined());
  optimizer.step(1, 1.0, 1.0);
  EXPECT_NEAR(owned.w().value().values<double>()[0], 3.0 - 0.1 * (0.7 + 0.5 * 3.0), 1e-14);
}

TEST(Optimizer, RefusesAPatternThatMatchesNoParameter) {
  OptimizerSection s = section("AdamW");
  s.groups = {{"*", 1.0, std::nullopt}, {"*.embedding.*", 2.0, std::nullopt}};
  const std::vector<std::string> names = {"model.embed_tokens.weight", "model.norm.weight"};
  try {
    require_groups_match(s, names);
    FAIL() << "a group without parameters must be refused";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    EXPECT_NE(std::string(e.what()).find("optimizer.groups.1.pattern: '*.embedding.*'"),
              std::string::npos)
        << e.what();
  }
  s.groups[1].pattern = "*.embed_*";
  EXPECT_NO_THROW(require_groups_match(s, names));
}

TEST(Optimizer, LambScalesTheStepByTheTrustRatio) {
  OptimizerSection s = section("LAMB");
  s.weight_decay = 0;
  const Owned owned({2, 2}, DType::f64, 3.0, 0.7);
  Optimizer optimizer = owned.optimizer(s);
  optimizer.step(1, 1.0, 1.0);
  // ||p|| / ||u|| = 3 / 1 for every element alike.
  EXPECT_NEAR(owned.w().value().values<double>()[0], 3.0 - 0.1 * 3.0, 1e-7);
}

TEST(Optimizer, GradNormIsOfAllGradients) {
  const std::vector<Parameter> parameters{Parameter({3}, DType::f32, {}),
                                          Parameter({4}, DType::f32, {})};
  const Owned owned(parameters);
  fill(parameters[0].grad(), 2.0);
  fill(parameters[1].grad(), 1.0);
  const Optimizer optimizer = owned.optimizer(section("AdamW"));
  EXPECT_DOUBLE_EQ(optimizer.grad_norm(1.0), 4.0);
  EXPECT_DOUBLE_EQ(optimizer.grad_norm(0.5), 2.0);
}

TEST(Optimizer, UpdatesOnlyTheOwnedSlice) {
  run_ranks(2, [](Communicator& world) {
    const auto alone = self_world();
    Parameter p({2 * norm_chunk}, DType::f32, {});
    Zero zero(ModelShare({{p}}), {world, *alone}, *alone, {.stage = 1});
    fill(p.value(), 1.0);
    fill(p.grad(), 1.0);
    Optimizer optimizer(section("SGD"), zero);
    optimizer.step(1, 1.0, 1.0);
    const auto values = p.value().values<float>();
    for (const std::int64_t chunk : {0, 1})
      EXPECT_EQ(values[chunk * norm_chunk + 5] != 1.0f, chunk == world.rank());
  });
}

TEST(Optimizer, WithItsStateInFilesUpdatesToTheSameBits) {
  const TestFolder folder;
  for (const std::string name : {"AdamW", "LAMB", "SGD"}) {
    const Owned in_memory({40, 700}, DType::bf16, 0.5, 0.0),
        in_files({40, 700}, DType::bf16, 0.5, 0.0);
    Optimizer expected = in_memory.optimizer(section(name));
    Optimizer actual = in_files.optimizer(section(name), folder / "");
    fill(expected.state()[0].master, 0.5);
    fill(actual.state()[0].master, 0.5);
    for (int step = 1; step <= 3; ++step) {
      for (const Owned* owned : {&in_memory, &in_files}) fill(owned->w().grad(), 0.1 * step);
      expected.step(step, 1.0, 1.0);
      actual.step(step, 1.0, 1.0);
      EXPECT_TRUE(std::ranges::equal(actual.state()[0].master.values<float>(),
                                     expected.state()[0].master.values<float>()))
          << name << " " << step;
    }
    EXPECT_NE(actual.state()[0].master.values<float>()[0], 0.5f);
    EXPECT_EQ(MemoryLedger::of_this_thread()->of(MemoryUse::offload).bytes,
              40u * 700 * 4 * (name == "SGD" ? 2 : 3));
    EXPECT_TRUE(std::filesystem::is_empty(folder / "")) << "the files have no names";
  }
  EXPECT_EQ(MemoryLedger::of_this_thread()->of(MemoryUse::offload).bytes, 0u);
}

TEST(Optimizer, RefusesAFolderThatTakesNoFiles) {
  const Owned owned({2, 3}, DType::f64, 1.0, 1.0);
  try {
    owned.optimizer(section("AdamW"), "/no/such/folder");
    FAIL() << "a folder that is not there must be refused";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    EXPECT_NE(std::string(e.what()).find("'/no/such/folder'"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace boostr
