#include "ops/linear.h"

#include "ops/elementwise.h"
#include "ops/matmul.h"
#include "tests/ops/op_case.h"
#include "tests/reference/gemm.h"

namespace boostr::testing {
namespace {

OpCase linear_case(std::int64_t tokens, std::int64_t k, std::int64_t n, bool bias) {
  OpCase c;
  c.name = text("linear_", tokens, "x", k, "x", n, bias ? "_bias" : "");
  c.inputs = {{.shape = {1, tokens, k}}, {.shape = {n, k}, .is_weight = true, .std = 0.3}};
  if (bias) c.inputs.push_back({.shape = {n}, .is_weight = true});
  c.op = [bias](const std::vector<Tensor>& in) {
    return linear(in[0], in[1], bias ? in[2] : Tensor());
  };
  c.reference = [=](const std::vector<Doubles>& in) {
    Doubles y(static_cast<std::size_t>(tokens * n));
    const reference::GemmProblem problem{.m = tokens, .n = n, .k = k, .transpose_b = true};
    reference::gemm(problem, y, in[0], in[1], bias ? in[2] : Doubles());
    return y;
  };
  return c;
}

/// The weight is data, as in a hypernetwork.
OpCase data_weight_case() {
  OpCase c = linear_case(7, 5, 3, true);
  c.name = "linear_with_data_for_weights";
  for (OpInput& input : c.inputs) input.is_weight = false;
  return c;
}

/// One weight in two places.
OpCase tied_case() {
  constexpr std::int64_t tokens = 7, width = 5;
  OpCase c = linear_case(tokens, width, width, false);
  c.name = "tied";
  const auto once = c.reference;
  c.op = [](const std::vector<Tensor>& in) { return linear(linear(in[0], in[1]), in[1]); };
  c.reference = [once](const std::vector<Doubles>& in) { return once({once(in), in[1]}); };
  c.slack = 2.0;
  return c;
}

/// Products that add to a gradient that other edges began: with `residual` to one that is shared
/// with the product's own dy.
OpCase branches_case(bool residual) {
  constexpr std::int64_t tokens = 7, width = 5;
  OpCase c = linear_case(tokens, width, width, false);
  c.name = residual ? "residual" : "branches";
  if (!residual) c.inputs.push_back(OpInput(c.inputs[1]));
  const auto once = c.reference;
  c.op = [residual](const std::vector<Tensor>& in) {
    const Tensor y = add(in[0], linear(in[0], in[1]));
    return residual ? y : add(y, linear(in[0], in[2]));
  };
  c.reference = [once, residual](const std::vector<Doubles>& in) {
    Doubles y = once({in[0], in[1]});
    const Doubles other = residual ? Doubles(y.size()) : once({in[0], in[2]});
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += in[0][i] + other[i];
    return y;
  };
  c.slack = 2.0;
  return c;
}

OpCase matmul_case(bool transpose_a, bool transpose_b) {
  constexpr std::int64_t batch = 2, m = 7, n = 9, k = 5;
  OpCase c;
  c.name = text("matmul_", transpose_a ? "t" : "n", transpose_b ? "t" : "n");
  c.inputs = {{.shape = transpose_a ? Shape{batch, k, m} : Shape{batch, m, k}},
              {.shape = transpose_b ? Shape{batch, n, k} : Shape{batch, k, n}}};
  c.op = [=](const std::vector<Tensor>& in) {
    return matmul(in[0], in[1], transpose_a, transpose_b);
  };
  c.reference = [=](const std::vector<Doubles>& in) {
    Doubles y(static_cast<std::size_t>(batch * m * n));
    reference::gemm({batch, m, n, k, transpose_a, transpose_b}, y, in[0], in[1], {});
    return y;
  };
  return c;
}

/// A product of two weights is weight-side: its own weight gradients wait for W.
OpCase weights_case() {
  OpCase c = matmul_case(false, true);
  c.name = "matmul_of_weights";
  for (OpInput& input : c.inputs) input.is_weight = true;
  return c;
}

INSTANTIATE_TEST_SUITE_P(Linear, OpTest,
                         ::testing::Values(linear_case(1, 1, 1, false), linear_case(7, 33, 5, true),
                                           linear_case(33, 7, 35, false),
                                           linear_case(19, 17, 70, true), data_weight_case(),
                                           tied_case(), branches_case(false), branches_case(true)),
                         case_name);
INSTANTIATE_TEST_SUITE_P(Matmul, OpTest,
                         ::testing::Values(matmul_case(false, false), matmul_case(false, true),
                                           matmul_case(true, false), matmul_case(true, true),
                                           weights_case()),
                         case_name);

TEST(Linear, RefusesAWeightOfAnotherWidth) {
  const Tensor x = Tensor::empty({2, 3}, DType::f32);
  EXPECT_THROW(linear(x, Tensor::empty({4, 5}, DType::f32)), Error);
}

TEST(Linear, RefusesAWeightOfAnotherType) {
  const Tensor x = Tensor::empty({2, 3}, DType::f32);
  EXPECT_THROW(linear(x, Tensor::empty({4, 3}, DType::bf16)), Error);
}

TEST(Matmul, RefusesBatchesThatDiffer) {
  const Tensor a = Tensor::empty({2, 3, 4}, DType::f32);
  EXPECT_THROW(matmul(a, Tensor::empty({3, 4, 5}, DType::f32)), Error);
}

}  // namespace
}  // namespace boostr::testing
