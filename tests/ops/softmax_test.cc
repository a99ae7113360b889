#include "ops/softmax.h"

#include <numeric>

#include "ops/autograd.h"
#include "ops/cross_entropy.h"
#include "ops/linear_cross_entropy.h"
#include "tests/ops/op_case.h"
#include "tests/reference/gemm.h"
#include "tests/reference/softmax.h"

namespace boostr::testing {
namespace {

/// Seven tokens, of which two are ignored.
const std::vector<std::int32_t> targets{3, 0, -1, 12, 5, -100, 4};

Tensor target_tensor() { return Tensor::of<std::int32_t>({1, 7}, targets); }

Doubles reference_loss(const Doubles& logits, std::size_t vocabulary, double scale) {
  const Doubles wanted(targets.begin(), targets.end());
  const auto result = reference::cross_entropy(logits, wanted, vocabulary);
  return {scale * std::accumulate(result.loss.begin(), result.loss.end(), 0.0)};
}

OpCase softmax_case(std::int64_t rows, std::int64_t width) {
  OpCase c;
  c.name = text("softmax_", rows, "x", width);
  c.inputs = {{.shape = {rows, width}, .std = 2.0}};
  c.op = [](const std::vector<Tensor>& in) { return softmax(in[0]); };
  c.reference = [width](const std::vector<Doubles>& in) {
    return reference::softmax(in[0], width);
  };
  return c;
}

OpCase cross_entropy_case(std::int64_t vocabulary) {
  OpCase c;
  c.name = text("cross_entropy_", vocabulary);
  c.inputs = {{.shape = {1, 7, vocabulary}}};
  c.op = [](const std::vector<Tensor>& in) { return cross_entropy(in[0], target_tensor(), 0.3); };
  c.reference = [=](const std::vector<Doubles>& in) {
    return reference_loss(in[0], vocabulary, 0.3);
  };
  return c;
}

OpCase linear_cross_entropy_case(std::int64_t vocabulary, std::size_t logits_bytes) {
  constexpr std::int64_t hidden = 9;
  OpCase c;
  c.name = text("linear_cross_entropy_", vocabulary, "_in_", logits_bytes, "_bytes");
  c.inputs = {{.shape = {1, 7, hidden}}, {.shape = {vocabulary, hidden}, .is_weight = true}};
  c.op = [=](const std::vector<Tensor>& in) {
    return linear_cross_entropy(in[0], in[1], target_tensor(), 0.3, {}, logits_bytes);
  };
  c.reference = [=](const std::vector<Doubles>& in) {
    Doubles logits(static_cast<std::size_t>(7 * vocabulary));
    const reference::GemmProblem problem{.m = 7, .n = vocabulary, .k = hidden, .transpose_b = true};
    reference::gemm(problem, logits, in[0], in[1], {});
    return reference_loss(logits, vocabulary, 0.3);
  };
  return c;
}

INSTANTIATE_TEST_SUITE_P(Softmax, OpTest,
                         ::testing::Values(softmax_case(5, 1), softmax_case(3, 33)), case_name);
INSTANTIATE_TEST_SUITE_P(CrossEntropy, OpTest,
                         ::testing::Values(cross_entropy_case(13), cross_entropy_case(33)),
                         case_name);
INSTANTIATE_TEST_SUITE_P(LinearCrossEntropy, OpTest,
                         ::testing::Values(linear_cross_entropy_case(33, 1),
                                           linear_cross_entropy_case(33, 3 * 33 * 8),
                                           linear_cross_entropy_case(13, default_logits_bytes)),
                         case_name);

TEST(CrossEntropy, RefusesOneTargetTooMany) {
  EXPECT_THROW(cross_entropy(Tensor::empty({6, 13}, DType::f32), target_tensor(), 1.0), Error);
}

struct LossAndGradients {
  double loss;
  Doubles dx, dweight;
};

LossAndGradients fused(std::size_t logits_bytes, DType dtype) {
  const Tensor x = input_leaf(normal_tensor({1, 7, 9}, dtype, 1));
  const Parameter weight = normal_parameter({33, 9}, dtype, 2);
  const Tensor loss = linear_cross_entropy(x, weight, target_tensor(), 0.3, {}, logits_bytes);
  backward(loss);
  return {loss.item(), doubles_of(gradient_of(x)), doubles_of(weight.grad())};
}

TEST(LinearCrossEntropy, ChunksGiveTheSameAsTheWhole) {
  const LossAndGradients whole = fused(default_logits_bytes, DType::f64);
  for (std::size_t tokens : {1, 2, 3, 6}) {
    const LossAndGradients chunked = fused(tokens * 33 * 8, DType::f64);
    EXPECT_NEAR(chunked.loss, whole.loss, 1e-14);
    expect_near(chunked.dx, whole.dx, 1e-14);
    expect_near(chunked.dweight, whole.dweight, 1e-14);
  }
}

TEST(LinearCrossEntropy, TheLossDoesNotDependOnChunks) {
  EXPECT_EQ(fused(1, DType::bf16).loss, fused(default_logits_bytes, DType::bf16).loss);
}

TEST(LinearCrossEntropy, IgnoredTokensGetNoGradient) {
  const LossAndGradients result = fused(default_logits_bytes, DType::f32);
  for (std::size_t t = 0; t < targets.size(); ++t)
    for (std::size_t k = 0; k < 9; ++k)
      EXPECT_EQ(result.dx[t * 9 + k] == 0.0, targets[t] < 0) << "token " << t;
}

TEST(LinearCrossEntropy, GradientsSurviveATinyScaleInF16) {
  const Tensor x = input_leaf(normal_tensor({1, 7, 9}, DType::f16, 1));
  const Parameter weight = normal_parameter({33, 9}, DType::f16, 2);
  // As a run of a million tokens with a loss scale of 2^20 has it.
  const double scale = 1e-6, loss_scale = 1 << 20;
  const Tensor loss = linear_cross_entropy(x, weight, target_tensor(), scale);
  backward(loss, Tensor::full({1}, DType::f64, loss_scale));
  const LossAndGradients expected = fused(default_logits_bytes, DType::f64);
  Doubles dx = doubles_of(gradient_of(x));
  for (double& value : dx) value *= 0.3 / (scale * loss_scale);
  expect_near(dx, expected.dx, 5e-3);
}

TEST(LinearCrossEntropy, HoldsNoMoreThanTheChunkAndTheGradients) {
  constexpr std::int64_t tokens = 512, hidden = 16, vocabulary = 4096;
  constexpr std::size_t logits_bytes = std::size_t{1} << 20, all_logits = tokens * vocabulary * 4;
  const Tensor x = input_leaf(normal_tensor({tokens, hidden}, DType::f32, 1));
  const Parameter weight = normal_parameter({vocabulary, hidden}, DType::f32, 2);
  const Tensor ids = Tensor::zeros({tokens}, DType::i32);
  const auto run = [&](std::size_t bytes) {
    reset_peak_memory();
    const std::size_t before = allocator_stats().bytes_in_use;
    const Tensor loss = linear_cross_entropy(x, weight, ids, 1.0, {}, bytes);
    return allocator_stats().peak_bytes_in_use - before;
  };
  run(all_logits);  // the kernels' workspace stays
  EXPECT_LT(run(logits_bytes), logits_bytes + 2 * vocabulary * hidden * 4);
  EXPECT_GE(run(all_logits), all_logits);
}

}  // namespace
}  // namespace boostr::testing
