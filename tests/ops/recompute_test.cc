#include <memory>

#include "ops/activation.h"
#include "ops/autograd.h"
#include "ops/copy.h"
#include "ops/dropout.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "tests/ops/op_case.h"

namespace boostr::testing {
namespace {

constexpr DType dtype = DType::bf16;

/// A residual block with dropout: x is used twice, in one and in the other branch.
struct Block {
  Parameter up = normal_parameter({6, 4}, dtype, 1);
  Parameter down = normal_parameter({4, 6}, dtype, 2);
  std::uint64_t stream = 0;

  Tensor operator()(const Tensor& x) const {
    const Tensor h = dropout(silu(linear(x, up)), 0.3, {.seed = 7, .stream = stream});
    return add(x, linear(h, down));
  }
};

struct Gradients {
  Tensor y, dx, up, down;
};

template <class Forward>
Gradients gradients_of(Forward forward, bool split = false) {
  const Block block;
  const Tensor x = input_leaf(normal_tensor({5, 4}, dtype, 3));
  const Tensor y = forward(block, x);
  const Tensor dy = normal_tensor({5, 4}, dtype, 4);
  if (split)
    backward_input(y, dy).run();
  else
    backward(y, dy);
  return {y, gradient_of(x), block.up.grad(), block.down.grad()};
}

void expect_same_bits(const Gradients& a, const Gradients& b) {
  EXPECT_TRUE(same_bits(a.y, b.y));
  EXPECT_TRUE(same_bits(a.dx, b.dx));
  EXPECT_TRUE(same_bits(a.up, b.up));
  EXPECT_TRUE(same_bits(a.down, b.down));
}

/// Two blocks that share their weights, and x's third use.
Tensor direct(const Block& block, const Tensor& x) { return add(block(block(x)), x); }
Tensor recomputed(const Block& block, const Tensor& x) {
  return add(recompute(block, recompute(block, x)), x);
}
Tensor nested(const Block& block, const Tensor& x) {
  const auto both = [block](const Tensor& h) { return recompute(block, recompute(block, h)); };
  return add(recompute(both, x), x);
}

TEST(Recompute, HasTheBitsOfTheDirectCall) {
  expect_same_bits(gradients_of(recomputed), gradients_of(direct));
}

TEST(Recompute, Nests) { expect_same_bits(gradients_of(nested), gradients_of(direct)); }

TEST(Recompute, SplitsIntoInputAndWeightBackward) {
  expect_same_bits(gradients_of(recomputed, true), gradients_of(direct));
  expect_same_bits(gradients_of(nested, true), gradients_of(direct));
}

TEST(Recompute, ReachesTensorsThatTheFunctionCaptured) {
  const auto run = [](bool again) {
    const Tensor x = input_leaf(normal_tensor({5, 4}, dtype, 3));
    const Tensor side = silu(x);
    const auto f = [side](const Tensor& h) { return mul(silu(h), side); };
    const Tensor h = scale(x, 0.5);
    backward(again ? recompute(f, h) : f(h), normal_tensor({5, 4}, dtype, 4));
    return gradient_of(x);
  };
  EXPECT_TRUE(same_bits(run(true), run(false)));
}

TEST(Recompute, KeepsOnlyItsInput) {
  const Block block;
  const Tensor x = input_leaf(normal_tensor({5, 4}, dtype, 3));
  std::weak_ptr<Storage> inner;
  const auto f = [&](const Tensor& h) {
    const Tensor middle = silu(linear(h, block.up));
    inner = middle.storage();
    return linear(middle, block.down);
  };
  const Tensor y = recompute(f, x);
  EXPECT_TRUE(inner.expired());
}

TEST(Recompute, ComputesAgainOncePerBackward) {
  int calls = 0;
  const auto f = [&](const Tensor& h) {
    ++calls;
    return silu(h);
  };
  const Tensor x = input_leaf(normal_tensor({5, 4}, dtype, 3));
  const Tensor y = recompute(f, x);
  EXPECT_EQ(calls, 1);
  backward(y, normal_tensor({5, 4}, dtype, 4));
  EXPECT_EQ(calls, 2);
}

TEST(Recompute, OfConstantsIsNotRecorded) {
  const Tensor x = normal_tensor({5, 4}, dtype, 3);
  EXPECT_EQ(recompute([](const Tensor& h) { return silu(h); }, x).node(), nullptr);
}

TEST(Recompute, AWriteToItsInputIsAnError) {
  const Tensor x = input_leaf(normal_tensor({5, 4}, dtype, 3));
  const Tensor y = recompute([](const Tensor& h) { return silu(h); }, x);
  fill(x, 0.0);
  EXPECT_THROW(backward(y, normal_tensor({5, 4}, dtype, 4)), Error);
}

TEST(Recompute, AWriteToAWeightItReadIsAnError) {
  const Block block;
  const Tensor x = input_leaf(normal_tensor({5, 4}, dtype, 3));
  const Tensor y = recompute(block, x);
  fill(block.up.value(), 0.0);
  EXPECT_THROW(backward(y, normal_tensor({5, 4}, dtype, 4)), Error);
}

TEST(Recompute, AnExceptionInTheFunctionLeavesRecordingOn) {
  const Tensor x = input_leaf(normal_tensor({5, 4}, dtype, 3));
  const auto fail = [](const Tensor&) -> Tensor { throw Error("on purpose"); };
  EXPECT_THROW(recompute(fail, x), Error);
  EXPECT_TRUE(grad_enabled());
}

}  // namespace
}  // namespace boostr::testing
