#include "models/llama.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>

#include "ops/autograd.h"
#include "ops/copy.h"
#include "ops/norm.h"
#include "ops/optimizer.h"
#include "parallel/comm/self.h"
#include "tests/models/fixture.h"

namespace boostr {
namespace {

using testing::Fixture;

/// The issue with f64 is bugs, not rounding: everything agrees to 1e-9 of its own size.
constexpr double tolerance = 1e-9;

void expect_near(const Tensor& actual, const Tensor& expected, const std::string& what) {
  ASSERT_EQ(actual.shape(), expected.shape()) << what;
  const auto a = actual.values<double>(), e = expected.values<double>();
  double largest = 0;
  for (const double value : e) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < e.size(); ++i)
    ASSERT_NEAR(a[i], e[i], tolerance * largest) << what << ", element " << i;
}

/// A group of one.
struct Alone {
  std::unique_ptr<Communicator> world = self_world();
  TensorParallel tp{*world};
};

/// A model with the fixture's weights.
struct Subject {
  explicit Subject(const Fixture& fixture)
      : model(fixture.config, fixture.input_ids.shape()[1], DType::f64, alone.tp),
        all(parameters(model)),
        microbatch{fixture.input_ids, fixture.targets, {}} {
    for (const Parameter& parameter : all)
      copy_into(parameter.value(), fixture.parameters.at(parameter.name()));
  }

  double loss_and_gradients(ActivationCheckpoint mode = ActivationCheckpoint::none) {
    for (Parameter& parameter : all) parameter.zero_grad();
    const Tensor loss =
        forward_loss(model, microbatch, 1.0 / double(microbatch.targets.numel()), mode);
    backward(loss);
    return loss.item();
  }

  Alone alone;
  Llama model;
  std::vector<Parameter> all;
  Microbatch microbatch;
};

class Reference : public ::testing::TestWithParam<std::string> {
 protected:
  Fixture fixture_ = testing::read_fixture(GetParam());
};

TEST_P(Reference, ParametersHaveTheReferencesNamesAndShapes) {
  Subject subject(fixture_);
  EXPECT_EQ(subject.all.size(), fixture_.parameters.size());
  for (const Parameter& parameter : subject.all) {
    ASSERT_TRUE(fixture_.parameters.contains(parameter.name())) << parameter.name();
    EXPECT_EQ(parameter.shape(), fixture_.parameters.at(parameter.name()).shape())
        << parameter.name();
  }
}

TEST_P(Reference, LogitsAreEqual) {
  Subject subject(fixture_);
  expect_near(forward_logits(subject.model, subject.microbatch), fixture_.logits, "logits");
}

TEST_P(Reference, LossAndEveryGradientAreEqual) {
  Subject subject(fixture_);
  EXPECT_NEAR(subject.loss_and_gradients(), fixture_.loss, tolerance * fixture_.loss);
  for (const Parameter& parameter : subject.all)
    expect_near(parameter.grad(), fixture_.gradients.at(parameter.name()), parameter.name());
}

TEST_P(Reference, RecomputedLayersGiveTheSameBits) {
  Subject direct(fixture_), recomputed(fixture_);
  EXPECT_EQ(direct.loss_and_gradients(), recomputed.loss_and_gradients(ActivationCheckpoint::full));
  for (std::size_t i = 0; i < direct.all.size(); ++i)
    EXPECT_TRUE(std::ranges::equal(direct.all[i].grad().values<double>(),
                                   recomputed.all[i].grad().values<double>()))
        << direct.all[i].name();
}

TEST_P(Reference, InputThenWeightBackwardGivesTheSameBits) {
  Subject whole(fixture_), split(fixture_);
  whole.loss_and_gradients();
  const Tensor loss =
      forward_loss(split.model, split.microbatch, 1.0 / double(split.microbatch.targets.numel()));
  WeightGrads later = backward_input(loss, Tensor::full(loss.shape(), loss.dtype(), 1.0));
  for (const Parameter& parameter : split.all)
    EXPECT_FALSE(parameter.has_grad()) << parameter.name();
  later.run();
  for (std::size_t i = 0; i < whole.all.size(); ++i)
    EXPECT_TRUE(std::ranges::equal(whole.all[i].grad().values<double>(),
                                   split.all[i].grad().values<double>()))
        << whole.all[i].name();
}

TEST_P(Reference, FiveAdamWStepsGiveTheSameLossesNormsAndWeights) {
  Subject subject(fixture_);
  std::vector<Tensor> first, second;
  for (const Parameter& parameter : subject.all) {
    first.push_back(Tensor::zeros({parameter.numel()}, DType::f64));
    second.push_back(Tensor::zeros({parameter.numel()}, DType::f64));
  }
  for (std::size_t step = 0; step < fixture_.losses.size(); ++step) {
    EXPECT_NEAR(subject.loss_and_gradients(), fixture_.losses[step],
                tolerance * fixture_.losses[step]);
    double squares = 0;
    for (const Parameter& parameter : subject.all) squares += sum_of_squares(parameter.grad());
    const double norm = std::sqrt(squares);
    EXPECT_NEAR(norm, fixture_.grad_norms[step], tolerance * norm);
    std::vector<OptimizerSlice> slices;
    for (std::size_t i = 0; i < subject.all.size(); ++i) {
      const Parameter& parameter = subject.all[i];
      const Shape flat{parameter.numel()};
      slices.push_back(
          {.master = parameter.value().view(flat).out(),
           .exp_avg = first[i].out(),
           .exp_avg_sq = second[i].out(),
           .param = {},
           .grad = parameter.grad().view(flat).in(),
           .lr = fixture_.lr,
           .weight_decay = parameter.shape().num_dims() >= 2 ? fixture_.weight_decay : 0.0});
    }
    const double clip = std::min(1.0, fixture_.max_norm / (norm + 1e-6));
    adamw_step(slices, {fixture_.beta1, fixture_.beta2, fixture_.eps, clip,
                        static_cast<std::int64_t>(step) + 1});
  }
  for (const Parameter& parameter : subject.all)
    expect_near(parameter.value(), fixture_.updated.at(parameter.name()), parameter.name());
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Reference, ::testing::ValuesIn(testing::fixture_paths()),
                         [](const auto& info) {
                           return std::filesystem::path(info.param).stem().string();
                         });

TEST(LlamaFlops, CountsSixPerMultipliedParameterAndTwelvePerVisiblePair) {
  LlamaConfig config;
  config.vocab_size = 100;
  config.hidden_size = 8;
  config.num_hidden_layers = 3;
  config.num_attention_heads = 2;
  config.intermediate_size = 16;
  Alone alone;
  Llama untied(config, 64, DType::f32, alone.tp);
  double total = 0;
  for (const Parameter& parameter : parameters(untied))
    total += static_cast<double>(parameter.numel());
  const double multiplied = total - 100 * 8;
  EXPECT_DOUBLE_EQ(untied.flops_per_sequence(64), 6 * multiplied * 64 + 6 * 3 * 64.0 * 64 * 8);
  config.sliding_window = 64;
  EXPECT_DOUBLE_EQ(Llama(config, 64, DType::f32, alone.tp).flops_per_sequence(64),
                   untied.flops_per_sequence(64));
  config.sliding_window = 0;
  config.tie_word_embeddings = true;
  EXPECT_DOUBLE_EQ(Llama(config, 64, DType::f32, alone.tp).flops_per_sequence(64),
                   untied.flops_per_sequence(64));
}

/// The initial local part of `parameter`.
Tensor initial_value(const Parameter& parameter, std::uint64_t seed) {
  const Tensor values = Tensor::empty({parameter.numel()}, DType::f32);
  initialize(values, parameter, 0, seed);
  return values;
}

TEST(Initialisation, IsAFunctionOfSeedNameAndGlobalIndex) {
  Parameter whole({10, 6}, DType::f32, {0, 0.02});
  whole.set_name("model.layers.0.mlp.up_proj.weight");
  const Tensor all = initial_value(whole, 7);
  for (const int axis : {0, 1}) {
    for (int index = 0; index < 3; ++index) {
      Parameter part({10, 6}, DType::f32, {0, 0.02}, {axis, index, 3});
      part.set_name(whole.name());
      const Tensor values = initial_value(part, 7);
      const std::int64_t row0 = axis == 0 ? shard_begin(10, index, 3) : 0;
      const std::int64_t column0 = axis == 1 ? shard_begin(6, index, 3) : 0;
      for (std::int64_t r = 0; r < part.shape()[0]; ++r)
        for (std::int64_t c = 0; c < part.shape()[1]; ++c)
          EXPECT_EQ(values.values<float>()[r * part.shape()[1] + c],
                    all.values<float>()[(row0 + r) * 6 + column0 + c]);
    }
  }
  Parameter other({10, 6}, DType::f32, {0, 0.02});
  other.set_name("model.layers.1.mlp.up_proj.weight");
  EXPECT_NE(initial_value(other, 7).values<float>()[0], all.values<float>()[0]);
  EXPECT_NE(initial_value(whole, 8).values<float>()[0], all.values<float>()[0]);
}

TEST(Initialisation, OfASliceIsThatOfTheWhole) {
  for (const Shard shard : {Shard{}, Shard{0, 1, 3}, Shard{1, 1, 3}}) {
    Parameter parameter({10, 24}, DType::f32, {0, 0.02}, shard);
    parameter.set_name("model.layers.0.mlp.up_proj.weight");
    const Tensor whole = initial_value(parameter, 7);
    for (std::int64_t begin = 0; begin < parameter.numel(); ++begin)
      for (std::int64_t numel = 0; begin + numel <= parameter.numel(); ++numel) {
        const Tensor slice = Tensor::empty({numel}, DType::f32);
        initialize(slice, parameter, begin, 7);
        ASSERT_TRUE(
            std::ranges::equal(slice.values<float>(), whole.rows(begin, numel).values<float>()))
            << numel << " from " << begin;
      }
  }
}

TEST(LlamaConfigCheck, RefusesHeadsThatDoNotFit) {
  LlamaConfig config;
  config.num_attention_heads = 6;
  config.num_key_value_heads = 4;
  config.head_dim = 8;
  EXPECT_THROW(resolved(config), Error);
  config.num_key_value_heads = 3;
  EXPECT_NO_THROW(resolved(config));
  config.head_dim = 7;
  EXPECT_THROW(resolved(config), Error);
}

}  // namespace
}  // namespace boostr
