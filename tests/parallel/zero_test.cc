#include "parallel/zero.h"

#include <gtest/gtest.h>

#include "ops/autograd.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "parallel/comm/self.h"
#include "parallel/comm/threads.h"

namespace boostr {
namespace {

std::vector<Parameter> make_parameters() {
  std::vector<Parameter> all;
  for (const std::int64_t size : {3, 40, 7, 100}) {
    all.emplace_back(Shape{size}, DType::f64, Initial{});
    all.back().set_name(text("p", size));
    fill(all.back().value(), static_cast<double>(size));
  }
  return all;
}

/// Backward of factor * sum of all elements of the parameters: each gradient is `factor`.
void backward_of_sums(const std::vector<Parameter>& parameters, double factor) {
  Tensor loss = scale(sum(parameters[0].value()), factor);
  for (std::size_t i = 1; i < parameters.size(); ++i)
    loss = add(loss, scale(sum(parameters[i].value()), factor));
  backward(loss);
}

void expect_grads(const std::vector<Parameter>& parameters, double expected) {
  for (const Parameter& parameter : parameters)
    for (const double value : parameter.grad().values<double>())
      EXPECT_EQ(value, expected) << parameter.name();
}

class ZeroBuckets : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(ZeroBuckets, SumGradientsOverRanksAndMicrobatchesOnce) {
  run_ranks(3, [](Communicator& world) {
    std::vector<Parameter> parameters = make_parameters();
    Zero zero(parameters, world, {.bucket_bytes = GetParam()});
    for (int step = 0; step < 2; ++step) {
      for (Parameter& parameter : parameters) parameter.zero_grad();
      backward_of_sums(parameters, 1.0 + world.rank());
      zero.expect_last_microbatch();
      backward_of_sums(parameters, 10.0);
      zero.reduce_gradients();
      expect_grads(parameters, 1 + 2 + 3 + 30);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Sizes, ZeroBuckets, ::testing::Values(1, 256, 600, 1 << 20));

TEST(Zero, AParameterThatGotNoGradientCountsAsZero) {
  run_ranks(2, [](Communicator& world) {
    std::vector<Parameter> parameters = make_parameters();
    Zero zero(parameters, world, {.bucket_bytes = 64});
    zero.expect_last_microbatch();
    if (world.rank() == 0) backward_of_sums(parameters, 4.0);
    zero.reduce_gradients();
    expect_grads(parameters, 4.0);
  });
}

TEST(Zero, OwnsEverythingAtStageZero) {
  const auto world = self_world();
  const std::vector<Parameter> parameters = make_parameters();
  const Zero zero(parameters, *world, {});
  ASSERT_EQ(zero.owned().size(), parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    EXPECT_EQ(zero.owned()[i].parameter, parameters[i]);
    EXPECT_EQ(zero.owned()[i].begin, 0);
    EXPECT_EQ(zero.owned()[i].numel, parameters[i].numel());
  }
}

TEST(Zero, RefusesStagesThatAreNotThere) {
  const auto world = self_world();
  EXPECT_THROW(Zero(make_parameters(), *world, {.stage = 2}), Error);
}

}  // namespace
}  // namespace boostr
