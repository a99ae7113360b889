#include <string>
#include <vector>

#include "ops/activation.h"
#include "ops/autograd.h"
#include "ops/cast.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "tests/ops/op_case.h"

// Parameter::set_on_grad: once per backward, after the last contribution.
namespace boostr::testing {
namespace {

/// Two weights that a small network uses in several ways; counts their hooks and keeps the gradient
/// that the hook saw.
class Hooks : public ::testing::Test {
 protected:
  Hooks() {
    first.set_on_grad([this] { note(0, first); });
    second.set_on_grad([this] { note(1, second); });
  }

  Tensor input() const { return input_leaf(normal_tensor({3, 4}, DType::f64, 3)); }
  Tensor dy() const { return Tensor::full({3, 4}, DType::f64, 1.0); }

  void expect_fired_once_when_complete() {
    EXPECT_EQ(calls[0], 1);
    EXPECT_EQ(calls[1], 1);
    EXPECT_EQ(seen[0], doubles_of(first.grad()));
    EXPECT_EQ(seen[1], doubles_of(second.grad()));
  }

  Parameter first = normal_parameter({4, 4}, DType::f64, 1);
  Parameter second = normal_parameter({4, 4}, DType::f64, 2);
  int calls[2] = {0, 0};
  Doubles seen[2];

 private:
  void note(int i, const Parameter& parameter) {
    ++calls[i];
    seen[i] = doubles_of(parameter.grad());
  }
};

TEST_F(Hooks, FireOncePerBackward) {
  for (int run = 1; run <= 2; ++run) {
    backward(linear(linear(input(), first), second), dy());
    EXPECT_EQ(calls[0], run);
    EXPECT_EQ(calls[1], run);
  }
}

TEST_F(Hooks, OfTiedWeightsWaitForTheLastUse) {
  const Tensor h = linear(linear(input(), first), second);
  backward(linear(silu(h), first), dy());
  expect_fired_once_when_complete();
}

TEST_F(Hooks, WaitForDerivedWeights) {
  const Tensor half = scale(first, 0.5);
  const Tensor h = linear(linear(input(), half), first);
  backward(linear(linear(h, half), second), dy());
  expect_fired_once_when_complete();
}

TEST_F(Hooks, FireInTheWeightBackward) {
  const Tensor h = linear(linear(input(), first), second);
  WeightGrads later = backward_input(linear(h, first), dy());
  EXPECT_EQ(calls[0] + calls[1], 0);
  later.run();
  expect_fired_once_when_complete();
}

TEST_F(Hooks, CountRecomputedSegmentsIn) {
  const auto f = [this](const Tensor& x) { return silu(linear(linear(x, first), second)); };
  const Tensor h = recompute(f, recompute(f, input()));
  backward(linear(h, first), dy());
  expect_fired_once_when_complete();
}

TEST_F(Hooks, CountNestedSegmentsOnce) {
  const auto inner = [this](const Tensor& x) { return silu(linear(x, first)); };
  const auto outer = [&](const Tensor& x) { return linear(recompute(inner, x), second); };
  backward(linear(recompute(outer, input()), first), dy());
  expect_fired_once_when_complete();
}

TEST_F(Hooks, SkipWhatASegmentDoesNotRecord) {
  const auto f = [this](const Tensor& x) {
    const Tensor gate = [&] {
      const NoGrad no_grad;
      return linear(x, first);
    }();
    return mul(linear(linear(x, first), second), gate);
  };
  backward(recompute(f, input()), dy());
  expect_fired_once_when_complete();
}

TEST_F(Hooks, CountSegmentsInInputThenWeightBackward) {
  const auto f = [this](const Tensor& x) { return silu(linear(linear(x, first), second)); };
  WeightGrads later = backward_input(linear(recompute(f, input()), first), dy());
  EXPECT_EQ(calls[0] + calls[1], 0);
  later.run();
  expect_fired_once_when_complete();
}

TEST_F(Hooks, DoNotWaitForOtherGraphs) {
  const Tensor kept = linear(linear(input(), first), second);
  backward(linear(linear(input(), first), second), dy());
  expect_fired_once_when_complete();
}

TEST_F(Hooks, DoNotWaitForGraphsThatWereDropped) {
  { const Tensor dropped = linear(linear(input(), first), second); }
  backward(linear(linear(input(), first), second), dy());
  expect_fired_once_when_complete();
}

TEST_F(Hooks, DoNotWaitForBranchesOffThePath) {
  const Tensor h = linear(input(), first);
  const Tensor metric = linear(h, second);
  backward(linear(linear(h, second), first), dy());
  expect_fired_once_when_complete();
}

TEST_F(Hooks, MicrobatchesInFlightFireEach) {
  const Tensor a = linear(linear(input(), first), second);
  const Tensor b = linear(linear(input(), first), second);
  backward(a, dy());
  EXPECT_EQ(calls[0], 1);
  backward(b, dy());
  EXPECT_EQ(calls[0], 2);
}

}  // namespace
}  // namespace boostr::testing
