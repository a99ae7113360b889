#include "ops/autograd.h"
#include "tests/ops/op_case.h"
#include "tests/reference/finite_difference.h"
#include "tests/testing/tensor.h"

namespace boostr::testing {
namespace {

/// The inputs of a case in one type: leaves of both kinds.
struct Leaves {
  std::vector<Tensor> tensors;        ///< as the op gets them
  std::vector<Parameter> parameters;  ///< undefined for data

  Tensor gradient(std::size_t i) const {
    return parameters[i].defined() ? parameters[i].grad() : gradient_of(tensors[i]);
  }
};

/// Rounded to `through` before, so that runs in several types see the same numbers.
Doubles input_values(const OpCase& c, std::size_t i, DType through) {
  const OpInput& input = c.inputs[i];
  const Doubles values = normal(input.shape.numel(), 100 + i, input.std, input.mean);
  return doubles_of(tensor_of(input.shape, values, through));
}

Leaves make_leaves(const OpCase& c, DType dtype, DType through) {
  Leaves leaves;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    const Doubles values = input_values(c, i, through);
    const Shape& shape = c.inputs[i].shape;
    leaves.parameters.push_back(c.inputs[i].is_weight ? parameter_of(shape, values, dtype)
                                                      : Parameter());
    leaves.tensors.push_back(c.inputs[i].is_weight ? leaves.parameters[i].value()
                                                   : input_leaf(tensor_of(shape, values, dtype)));
  }
  return leaves;
}

/// The gradient that the output receives, in the type the output's gradient has.
Tensor make_dy(const Tensor& y, DType through) {
  const Doubles values = normal(y.numel(), 99);
  return tensor_of(y.shape(), doubles_of(tensor_of(y.shape(), values, through)), gradient_dtype(y));
}

/// Forward and a full backward.
Leaves differentiated(const OpCase& c, DType dtype, DType through) {
  Leaves leaves = make_leaves(c, dtype, through);
  const Tensor y = c.op(leaves.tensors);
  backward(y, make_dy(y, through));
  return leaves;
}

}  // namespace

TEST_P(OpTest, ForwardMatchesReferenceInEveryType) {
  const OpCase& c = GetParam();
  for (DType dtype : float_types) {
    SCOPED_TRACE(text(dtype));
    const Tensor y = c.op(make_leaves(c, dtype, dtype).tensors);
    std::vector<Doubles> inputs;
    for (std::size_t i = 0; i < c.inputs.size(); ++i) inputs.push_back(input_values(c, i, dtype));
    expect_near(doubles_of(y), c.reference(inputs), c.slack * tolerance(dtype));
  }
}

TEST_P(OpTest, GradientsMatchFiniteDifferences) {
  const OpCase& c = GetParam();
  const Leaves leaves = make_leaves(c, DType::f64, DType::f64);
  const Tensor y = c.op(leaves.tensors);
  const Tensor dy = make_dy(y, DType::f64);
  backward(y, dy);
  std::vector<Doubles> inputs;
  for (std::size_t i = 0; i < c.inputs.size(); ++i)
    inputs.push_back(input_values(c, i, DType::f64));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    SCOPED_TRACE(text("input ", i));
    const auto of_input = [&](const Doubles& values) {
      std::vector<Doubles> moved = inputs;
      moved[i] = values;
      return c.reference(moved);
    };
    expect_near(doubles_of(leaves.gradient(i)),
                reference::finite_difference(of_input, inputs[i], doubles_of(dy)), 1e-8);
  }
}

TEST_P(OpTest, GradientsInEveryTypeMatchF64) {
  const OpCase& c = GetParam();
  for (DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    SCOPED_TRACE(text(dtype));
    const Leaves low = differentiated(c, dtype, dtype);
    const Leaves high = differentiated(c, DType::f64, dtype);
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
      SCOPED_TRACE(text("input ", i));
      EXPECT_EQ(low.gradient(i).dtype(), c.inputs[i].is_weight ? DType::f32 : dtype);
      expect_near(doubles_of(low.gradient(i)), doubles_of(high.gradient(i)),
                  c.slack * tolerance(dtype));
    }
  }
}

TEST_P(OpTest, InputThenWeightBackwardHasTheBitsOfTheFullOne) {
  const OpCase& c = GetParam();
  for (DType dtype : float_types) {
    SCOPED_TRACE(text(dtype));
    const Leaves full = differentiated(c, dtype, dtype);
    const Leaves split = make_leaves(c, dtype, dtype);
    const Tensor y = c.op(split.tensors);
    WeightGrads later = backward_input(y, make_dy(y, dtype));
    for (const Parameter& parameter : split.parameters)
      EXPECT_FALSE(parameter.defined() && parameter.has_grad()) << "B delivered a weight gradient";
    later.run();
    for (std::size_t i = 0; i < c.inputs.size(); ++i)
      EXPECT_TRUE(same_bits(split.gradient(i), full.gradient(i))) << "input " << i;
  }
}

TEST_P(OpTest, WeightGradientsOfTwoBackwardsAddUp) {
  const OpCase& c = GetParam();
  for (DType dtype : float_types) {
    SCOPED_TRACE(text(dtype));
    const Leaves once = differentiated(c, dtype, dtype);
    const Leaves twice = make_leaves(c, dtype, dtype);
    for (int run = 0; run < 2; ++run) {
      const Tensor y = c.op(twice.tensors);
      backward(y, make_dy(y, dtype));
    }
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
      if (!c.inputs[i].is_weight) continue;
      Doubles expected = doubles_of(once.gradient(i));
      for (double& value : expected) value *= 2;
      expect_near(doubles_of(twice.gradient(i)), expected, tolerance(accumulator_of(dtype)));
    }
  }
}

TEST_P(OpTest, RecomputedHasTheBitsOfTheDirectCall) {
  const OpCase& c = GetParam();
  const Leaves direct = differentiated(c, DType::bf16, DType::bf16);
  const Leaves again = make_leaves(c, DType::bf16, DType::bf16);
  const auto f = [&](const Tensor& first) {
    std::vector<Tensor> inputs = again.tensors;
    inputs[0] = first;
    return c.op(inputs);
  };
  const Tensor y = recompute(f, again.tensors[0]);
  EXPECT_TRUE(same_bits(y, c.op(direct.tensors)));
  backward(y, make_dy(y, DType::bf16));
  for (std::size_t i = 0; i < c.inputs.size(); ++i)
    EXPECT_TRUE(same_bits(again.gradient(i), direct.gradient(i))) << "input " << i;
}

TEST_P(OpTest, WithoutGradientsNothingIsRecorded) {
  const OpCase& c = GetParam();
  const Leaves leaves = make_leaves(c, DType::f64, DType::f64);
  const Tensor recorded = c.op(leaves.tensors);
  const NoGrad no_grad;
  const Tensor y = c.op(leaves.tensors);
  EXPECT_EQ(y.node(), nullptr);
  EXPECT_TRUE(same_bits(y, recorded));
}

}  // namespace boostr::testing
