#include "ops/activation.h"
#include "ops/autograd.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "tests/ops/op_case.h"

// B and W of networks where the order in which a weight gets its contributions shows in its bits.
namespace boostr::testing {
namespace {

constexpr DType dtype = DType::f32;

/// Uses a weight, values derived from it, and both again in recomputed layers.
struct Network {
  Parameter weight = normal_parameter({7, 7}, dtype, 1, 0.4);

  Tensor operator()(const Tensor& x, bool again) const {
    const Tensor early = scale(weight, 0.3);
    Tensor h = silu(linear(linear(x, weight), early));
    const Tensor late = scale(early, 1.7);
    const auto layer = [this, early, late](const Tensor& z) {
      return add(silu(linear(linear(z, late), weight)), linear(z, scale(early, 0.9)));
    };
    for (int i = 0; i < 3; ++i) h = again ? recompute(layer, h) : layer(h);
    return linear(linear(h, weight), late);
  }
};

Tensor input() { return normal_tensor({5, 7}, dtype, 2); }
Tensor dy() { return normal_tensor({5, 7}, dtype, 3); }

Tensor full_gradient() {
  const Network network;
  backward(network(input_leaf(input()), false), dy());
  return network.weight.grad();
}

TEST(Split, DeliversInTheOrderOfTheFullBackward) {
  const Network network;
  backward_input(network(input_leaf(input()), false), dy()).run();
  EXPECT_TRUE(same_bits(network.weight.grad(), full_gradient()));
}

TEST(Split, DeliversInTheOrderOfTheFullBackwardThroughRecomputedLayers) {
  const Network network;
  backward_input(network(input_leaf(input()), true), dy()).run();
  EXPECT_TRUE(same_bits(network.weight.grad(), full_gradient()));
}

TEST(Split, AppendedWorkRunsAfterwards) {
  const Network one, other;
  for (int microbatch = 0; microbatch < 2; ++microbatch)
    backward(one(input_leaf(normal_tensor({5, 7}, dtype, 10 + microbatch)), false), dy());
  WeightGrads later;
  for (int microbatch = 0; microbatch < 2; ++microbatch) {
    const Tensor x = input_leaf(normal_tensor({5, 7}, dtype, 10 + microbatch));
    later.append(backward_input(other(x, false), dy()));
  }
  EXPECT_FALSE(later.empty());
  later.run();
  EXPECT_TRUE(later.empty());
  EXPECT_TRUE(same_bits(other.weight.grad(), one.weight.grad()));
}

TEST(Split, NothingIsLeftWhereNoWeightIsReached) {
  const Tensor x = input_leaf(input());
  EXPECT_TRUE(backward_input(silu(x), dy()).empty());
}

TEST(Split, RunsOnce) {
  const Network network;
  WeightGrads later = backward_input(network(input_leaf(input()), false), dy());
  later.run();
  later.run();
  EXPECT_TRUE(same_bits(network.weight.grad(), full_gradient()));
}

}  // namespace
}  // namespace boostr::testing
