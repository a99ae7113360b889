#include "parallel/tensor_parallel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "models/llama.h"
#include "ops/autograd.h"
#include "ops/copy.h"
#include "parallel/comm/threads.h"
#include "tests/models/fixture.h"

// Models cut over ranks against the reference's values of the whole.
namespace boostr {
namespace {

using testing::Fixture;

constexpr double tolerance = 1e-9;

/// The elements of `whole` that a parameter cut by `shard` holds.
Tensor part_of(const Tensor& whole, const Shard& shard) {
  const std::int64_t first = whole.shape()[0];
  const Tensor matrix = whole.view({first, whole.numel() / first});
  const std::int64_t size = matrix.shape()[shard.axis];
  const std::int64_t begin = shard_begin(size, shard.index, shard.count);
  const std::int64_t count = shard_size(size, shard.index, shard.count);
  if (shard.axis == 0) return matrix.rows(begin, count);
  const Tensor part = Tensor::empty({first, count}, whole.dtype());
  for (std::int64_t row = 0; row < first; ++row)
    copy_into(part.rows(row, 1), matrix.rows(row, 1).view({size}).rows(begin, count));
  return part;
}

double largest_of(const Tensor& x) {
  double largest = 0;
  for (const double value : x.values<double>()) largest = std::max(largest, std::abs(value));
  return largest;
}

struct Case {
  std::string fixture;
  int ranks;
  bool sequence_parallel;
  ActivationCheckpoint mode;
};

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  return text(std::filesystem::path(c.fixture).stem().string(), "_", c.ranks,
              c.sequence_parallel ? "_sequence" : "",
              c.mode == ActivationCheckpoint::full        ? "_full"
              : c.mode == ActivationCheckpoint::selective ? "_selective"
                                                          : "");
}

class CutModel : public ::testing::TestWithParam<Case> {};

TEST_P(CutModel, GivesTheLossAndGradientsOfTheWhole) {
  const Case& c = GetParam();
  const Fixture fixture = testing::read_fixture(c.fixture);
  run_ranks(c.ranks, [&](Communicator& world) {
    TensorParallel tp(world, c.sequence_parallel);
    Llama model(fixture.config, fixture.input_ids.shape()[1], DType::f64, tp);
    const std::vector<Parameter> all = parameters(model);
    for (const Parameter& parameter : all)
      copy_into(parameter.value(),
                part_of(fixture.parameters.at(parameter.name()), parameter.shard()));
    const Microbatch microbatch{fixture.input_ids, fixture.targets, {}};
    const Tensor loss =
        forward_loss(model, microbatch, 1.0 / double(fixture.targets.numel()), c.mode);
    EXPECT_NEAR(loss.item(), fixture.loss, tolerance * fixture.loss);
    backward(loss);
    for (const Parameter& parameter : all) {
      const Tensor& whole = fixture.gradients.at(parameter.name());
      const Tensor expected = part_of(whole, parameter.shard());
      ASSERT_TRUE(parameter.has_grad()) << parameter.name();
      for (std::int64_t i = 0; i < expected.numel(); ++i)
        ASSERT_NEAR(parameter.grad().values<double>()[i], expected.values<double>()[i],
                    tolerance * largest_of(whole))
            << parameter.name() << " on rank " << world.rank() << ", element " << i;
    }
  });
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::string& fixture : testing::fixture_paths())
    for (const int ranks : {2, 4})
      // The fixtures' tokens cannot be cut in four.
      for (const bool sequence_parallel :
           ranks == 2 ? std::vector{false, true} : std::vector{false})
        for (const auto mode : {ActivationCheckpoint::none, ActivationCheckpoint::selective,
                                ActivationCheckpoint::full})
          all.push_back({fixture, ranks, sequence_parallel, mode});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Fixtures, CutModel, ::testing::ValuesIn(cases()), name_of);

TEST(TensorParallel, RefusesDegreesThatDoNotDivideTheHeadsAndNamesThoseThatDo) {
  LlamaConfig config;
  config.num_attention_heads = 12;
  config.num_key_value_heads = 4;
  config.head_dim = 8;
  EXPECT_NO_THROW(resolved(config, 12)) << "three ranks hold the same keys and values";
  try {
    resolved(config, 6);
    FAIL() << "4 heads of keys cannot be cut over 6 ranks";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    EXPECT_NE(std::string(e.what()).find("it could be 1, 2, 4, 12"), std::string::npos) << e.what();
  }
}

TEST(TensorParallel, RefusesTokensThatCannotBeCutEvenly) {
  EXPECT_THROW(run_ranks(2,
                         [](Communicator& world) {
                           TensorParallel tp(world, true);
                           tp.leave(Tensor::zeros({1, 3, 4}, DType::f64));
                         }),
               Error);
}

}  // namespace
}  // namespace boostr
