#include "ops/norm.h"

#include <limits>

#include "ops/layer_norm.h"
#include "ops/rms_norm.h"
#include "tests/ops/op_case.h"
#include "tests/reference/norm.h"

namespace boostr::testing {
namespace {

constexpr double eps = 1e-3;

OpCase rms_norm_case(std::int64_t rows, std::int64_t width) {
  OpCase c;
  c.name = text("rms_norm_", rows, "x", width);
  c.inputs = {{.shape = {1, rows, width}}, {.shape = {width}, .is_weight = true, .mean = 1.0}};
  c.op = [](const std::vector<Tensor>& in) { return rms_norm(in[0], in[1], eps); };
  c.reference = [](const std::vector<Doubles>& in) {
    return reference::rms_norm(in[0], in[1], eps).y;
  };
  return c;
}

/// Away from 0, where y is a step as wide as sqrt(eps).
OpCase one_element_case() {
  OpCase c = rms_norm_case(1, 1);
  c.inputs[0].mean = 3.0;
  return c;
}

/// As QK-norm has it: the rows are heads.
OpCase heads_case() {
  OpCase c = rms_norm_case(12, 5);
  c.name = "rms_norm_of_heads";
  c.inputs[0].shape = {2, 3, 2, 5};
  return c;
}

OpCase layer_norm_case(std::int64_t rows, std::int64_t width, bool bias) {
  OpCase c;
  c.name = text("layer_norm_", rows, "x", width, bias ? "_bias" : "");
  c.inputs = {{.shape = {1, rows, width}}, {.shape = {width}, .is_weight = true, .mean = 1.0}};
  if (bias) c.inputs.push_back({.shape = {width}, .is_weight = true});
  c.op = [bias](const std::vector<Tensor>& in) {
    return layer_norm(in[0], in[1], bias ? in[2] : Tensor(), eps);
  };
  c.reference = [bias](const std::vector<Doubles>& in) {
    return reference::layer_norm(in[0], in[1], bias ? in[2] : Doubles(), eps).y;
  };
  return c;
}

INSTANTIATE_TEST_SUITE_P(RmsNorm, OpTest,
                         ::testing::Values(one_element_case(), rms_norm_case(5, 33),
                                           rms_norm_case(33, 7), heads_case()),
                         case_name);
INSTANTIATE_TEST_SUITE_P(LayerNorm, OpTest,
                         ::testing::Values(layer_norm_case(5, 33, true),
                                           layer_norm_case(7, 9, false)),
                         case_name);

TEST(RmsNorm, RefusesAWeightOfAnotherWidth) {
  EXPECT_THROW(rms_norm(Tensor::empty({2, 3}, DType::f32), Tensor::empty({2}, DType::f32), eps),
               Error);
}

TEST(SumOfSquares, AddsPartialsThatAWholeAndItsSlicesShare) {
  const std::int64_t numel = 2 * norm_chunk + 100;
  const Tensor x = normal_tensor({numel}, DType::f32, 1);
  const std::vector<double> whole = sum_of_squares_partials(x, 0.5);
  ASSERT_EQ(whole.size(), 3u);
  const Tensor tail = x.rows(norm_chunk, numel - norm_chunk);
  EXPECT_EQ(sum_of_squares_partials(tail, 0.5), std::vector(whole.begin() + 1, whole.end()));
  EXPECT_EQ(sum_of_squares(x, 0.5), whole[0] + whole[1] + whole[2]);
}

TEST(SumOfSquares, IsThatOfTheFactorTimesTheElements) {
  const Tensor x = Tensor::of<float>({2}, std::vector<float>{3, 4});
  EXPECT_EQ(sum_of_squares(x, 2.0), 100.0);
}

TEST(AllFinite, SeesOneBadElement) {
  std::vector<float> values(100, 1.0f);
  EXPECT_TRUE(all_finite(Tensor::of({100}, values)));
  values[77] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(all_finite(Tensor::of({100}, values)));
}

}  // namespace
}  // namespace boostr::testing
