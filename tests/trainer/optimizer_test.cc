#include "trainer/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ops/copy.h"

namespace boostr {
namespace {

OptimizerSection section(const std::string& name) {
  OptimizerSection section;
  section.name = name;
  section.lr = 0.1;
  section.weight_decay = 0.5;
  return section;
}

Parameter parameter(const std::string& name, const Shape& shape, DType dtype, double value,
                    double grad) {
  Parameter p(shape, dtype, {});
  p.set_name(name);
  fill(p.value(), value);
  p.set_zero_grad();
  fill(p.grad(), grad);
  return p;
}

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
  Parameter p = parameter("w", {2, 3}, DType::f64, 2.0, -0.3);
  Optimizer optimizer(section("AdamW"), {{p, 0, 6}});
  optimizer.step(1, 0.5, 1.0);
  const double expected = 2.0 - 0.05 * 0.5 * 2.0 + 0.05 * 0.3 / (0.3 + 1e-8);
  for (const double value : p.value().values<double>()) EXPECT_NEAR(value, expected, 1e-14);
}

TEST(Optimizer, KeepsF32MastersOfBf16ParametersAndWritesThemBackRounded) {
  Parameter p = parameter("w", {1, 4}, DType::bf16, 0.0, 1.0);
  Optimizer optimizer(section("SGD"), {{p, 0, 4}});
  fill(optimizer.state()[0].master, 1.0);
  optimizer.write_parameters();
  optimizer.step(1, 0.001, 1.0);
  const float master = optimizer.state()[0].master.values<float>()[0];
  EXPECT_NEAR(master, 1.0 - 0.0001 * (1.0 + 0.5), 1e-7);
  EXPECT_NE(master, 1.0f) << "a change too small for bf16 must survive in the master";
  EXPECT_EQ(static_cast<float>(p.value().values<BFloat16>()[0]),
            static_cast<float>(BFloat16(master)));
}

TEST(Optimizer, SgdWithoutMomentumStepsByTheGradientAndKeepsNoMoment) {
  OptimizerSection s = section("SGD");
  s.momentum = 0;
  Parameter p = parameter("w", {2, 2}, DType::f64, 3.0, 0.7);
  Optimizer optimizer(s, {{p, 0, 4}});
  EXPECT_FALSE(optimizer.state()[0].exp_avg.defined());
  optimizer.step(1, 1.0, 1.0);
  EXPECT_NEAR(p.value().values<double>()[0], 3.0 - 0.1 * (0.7 + 0.5 * 3.0), 1e-14);
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
  Parameter p = parameter("w", {2, 2}, DType::f64, 3.0, 0.7);
  Optimizer optimizer(s, {{p, 0, 4}});
  optimizer.step(1, 1.0, 1.0);
  // ||p|| / ||u|| = 3 / 1 for every element alike.
  EXPECT_NEAR(p.value().values<double>()[0], 3.0 - 0.1 * 3.0, 1e-7);
}

TEST(Optimizer, GradNormIsOfAllOwnedGradients) {
  Parameter a = parameter("a", {3}, DType::f32, 0, 2.0),
            b = parameter("b", {4}, DType::f32, 0, 1.0);
  Optimizer optimizer(section("AdamW"), {{a, 0, 3}, {b, 0, 4}});
  EXPECT_DOUBLE_EQ(optimizer.grad_norm(1.0), 4.0);
  EXPECT_DOUBLE_EQ(optimizer.grad_norm(0.5), 2.0);
}

TEST(Optimizer, UpdatesOnlyTheOwnedSlice) {
  Parameter p = parameter("w", {6}, DType::f32, 1.0, 1.0);
  Optimizer optimizer(section("SGD"), {{p, 2, 3}});
  optimizer.step(1, 1.0, 1.0);
  const auto values = p.value().values<float>();
  EXPECT_EQ(values[1], 1.0f);
  EXPECT_NE(values[2], 1.0f);
  EXPECT_NE(values[4], 1.0f);
  EXPECT_EQ(values[5], 1.0f);
}

}  // namespace
}  // namespace boostr
