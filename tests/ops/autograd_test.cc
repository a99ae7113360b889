#include "ops/autograd.h"

#include <memory>

#include "ops/activation.h"
#include "ops/cast.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/reshape.h"
#include "tests/ops/op_case.h"

namespace boostr::testing {
namespace {

Tensor leaf(std::uint64_t seed, DType dtype = DType::f64) {
  return input_leaf(normal_tensor({3, 4}, dtype, seed));
}

Tensor ones(DType dtype = DType::f64) { return Tensor::full({3, 4}, dtype, 1.0); }

TEST(Autograd, AValueUsedTwiceGetsBothGradients) {
  const Tensor x = leaf(1);
  backward(mul(x, x), ones());
  Doubles expected = doubles_of(x);
  for (double& value : expected) value *= 2;
  EXPECT_EQ(doubles_of(gradient_of(x)), expected);
}

TEST(Autograd, SumsDoNotWriteToASharedGradient) {
  const Tensor x = leaf(1);
  const Tensor z = leaf(2);
  const Tensor y = scale(x, 1.0);
  // add hands the same dy to y and to z; y's second gradient must not be added into z's.
  backward(add(add(y, z), scale(y, 3.0)), ones());
  EXPECT_EQ(doubles_of(gradient_of(z)), doubles_of(ones()));
  EXPECT_EQ(doubles_of(gradient_of(x)), Doubles(12, 4.0));
}

TEST(Autograd, SumsDoNotWriteToTheCallersGradient) {
  const Tensor x = leaf(1);
  const Tensor dy = ones();
  backward(add(x, x), dy);
  EXPECT_EQ(doubles_of(dy), doubles_of(ones()));
}

TEST(Autograd, ASecondBackwardIsAnError) {
  const Tensor x = leaf(1);
  const Tensor y = mul(x, x);
  backward(y, ones());
  EXPECT_THROW(backward(y, ones()), Error);
}

TEST(Autograd, ASecondBackwardThroughASharedTrunkIsAnError) {
  const Tensor x = leaf(1);
  const Tensor trunk = scale(x, 2.0);
  const Tensor first = scale(trunk, 3.0);
  const Tensor second = scale(trunk, 4.0);
  backward(first, ones());
  EXPECT_THROW(backward(second, ones()), Error);
}

TEST(Autograd, ABackwardAfterOneOfInputsIsAnError) {
  const Parameter weight = normal_parameter({4, 4}, DType::f64, 2);
  const Tensor y = linear(leaf(1), weight);
  const WeightGrads later = backward_input(y, ones());
  EXPECT_THROW(backward(y, ones()), Error);
}

TEST(Autograd, AnOutputWithoutGraphIsAnError) { EXPECT_THROW(backward(ones(), ones()), Error); }

TEST(Autograd, AGradientOfAnotherShapeIsAnError) {
  EXPECT_THROW(backward(scale(leaf(1), 2.0), Tensor::full({4, 3}, DType::f64, 1.0)), Error);
}

TEST(Autograd, ALossOfManyElementsNeedsAGradient) {
  EXPECT_THROW(backward(scale(leaf(1), 2.0)), Error);
}

TEST(Autograd, AWriteToAnInputAfterRecordingIsAnError) {
  const Tensor x = leaf(1);
  const Tensor y = mul(x, x);
  fill(x, 0.0);
  EXPECT_THROW(backward(y, ones()), Error);
}

TEST(Autograd, AWriteToAnInputWithoutGradientIsAnError) {
  const Tensor x = normal_tensor({3, 4}, DType::f64, 1);  // read by the weight's gradient
  const Parameter weight = normal_parameter({4, 4}, DType::f64, 2);
  const Tensor y = linear(x, weight);
  fill(x, 0.0);
  EXPECT_THROW(backward(y, ones()), Error);
}

TEST(Autograd, AWriteBetweenInputAndWeightBackwardIsAnError) {
  const Tensor x = leaf(1);
  const Parameter weight = normal_parameter({4, 4}, DType::f64, 2);
  WeightGrads later = backward_input(linear(x, weight), ones());
  fill(x, 0.0);
  EXPECT_THROW(later.run(), Error);
}

TEST(Autograd, AWriteThroughAViewIsAWrite) {
  const Tensor x = leaf(1);
  const Tensor y = silu(x);
  fill(x.rows(1, 1), 0.0);
  EXPECT_THROW(backward(y, ones()), Error);
}

TEST(Autograd, BytesThatNoGradientReadsMayBeReused) {
  const Tensor x = leaf(1);
  std::weak_ptr<Storage> middle;
  const Tensor y = [&] {
    const Tensor product = mul(x, x);
    middle = product.storage();
    return scale(product, 2.0);
  }();
  EXPECT_TRUE(middle.expired()) << "scale keeps an input that its gradient does not read";
  backward(y, ones());
}

TEST(Autograd, EdgesMayNotMixWeightsAndData) {
  const Parameter weight = normal_parameter({3, 4}, DType::f64, 2);
  EXPECT_THROW(swiglu(leaf(1), weight), Error);
}

TEST(Autograd, AnUndefinedGradientIsAnError) {
  const Tensor x = leaf(1);
  const Tensor y = record("nothing", ones(), {{x, [](const Tensor&) { return Tensor(); }}});
  EXPECT_THROW(backward(y, ones()), Error);
}

TEST(Autograd, NoGradNests) {
  const Tensor x = leaf(1);
  {
    const NoGrad outer;
    { const NoGrad inner; }
    EXPECT_FALSE(grad_enabled());
    EXPECT_EQ(mul(x, x).node(), nullptr);
  }
  EXPECT_TRUE(grad_enabled());
  EXPECT_NE(mul(x, x).node(), nullptr);
}

TEST(Autograd, OpsInsideGradientsRecordNothing) {
  const Tensor x = leaf(1);
  bool recorded = true;
  const Tensor y =
      record("square", mul(x.detach(), x.detach()), {{x, [&](const Tensor& dy) {
                                                        const Tensor twice = scale(x, 2.0);
                                                        recorded = twice.node() != nullptr;
                                                        return mul(twice, dy);
                                                      }}});
  backward(y, ones());
  EXPECT_FALSE(recorded);
}

TEST(Autograd, AnExceptionInAGradientLeavesTheThreadUsable) {
  const Tensor x = leaf(1);
  const auto fail = [](const Tensor&) -> Tensor { throw Error("on purpose"); };
  const Tensor middle = scale(x, 2.0);
  const Tensor y = add(scale(middle, 3.0), record("failing", ones(), {{middle, fail}}));
  EXPECT_THROW(backward(y, ones()), Error);
  EXPECT_TRUE(grad_enabled());
  const Tensor other = leaf(2);
  backward(scale(other, 2.0), ones());
  EXPECT_EQ(doubles_of(gradient_of(other)), Doubles(12, 2.0));
  // What the failed pass had not reached holds no half gradient.
  backward(middle, ones());
  EXPECT_EQ(doubles_of(gradient_of(x)), Doubles(12, 2.0));
}

TEST(Autograd, GradientsOfWeightSideValuesAreOfAccumulatorType) {
  const Parameter weight = normal_parameter({3, 4}, DType::bf16, 2);
  const Tensor y = reshape(scale(weight, 2.0), {4, 3});
  EXPECT_EQ(gradient_dtype(y), DType::f32);
  // 1 + 2^-20 is lost in bf16.
  backward(y, Tensor::full({4, 3}, DType::f32, 1 + 0x1p-20));
  EXPECT_EQ(doubles_of(weight.grad()), Doubles(12, 2 + 0x1p-19));
}

TEST(Autograd, GradientsOfDataHaveItsType) {
  const Tensor x = leaf(1, DType::f16);
  backward(cast(x, DType::f32), ones(DType::f32));
  EXPECT_EQ(gradient_of(x).dtype(), DType::f16);
}

TEST(Autograd, DataWithoutGradientMakesTheOutputDataSide) {
  const Tensor x = normal_tensor({3, 4}, DType::bf16, 1);
  const Parameter weight = normal_parameter({4, 4}, DType::bf16, 2);
  EXPECT_EQ(gradient_dtype(linear(x, weight)), DType::bf16);
}

}  // namespace
}  // namespace boostr::testing
