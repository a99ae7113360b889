#include "ops/optimizer.h"

#include "ops/probe.h"
#include "ops/random.h"
#include "tests/ops/op_case.h"

// That the thin wrappers reach the right kernels with checked arguments; the kernels' own tests
// have the formulas.
namespace boostr::testing {
namespace {

/// One slice of three weights.
struct Slice {
  Tensor master = Tensor::full({3}, DType::f32, 1.0);
  Tensor grad = Tensor::full({3}, DType::f32, 0.5);
  Tensor exp_avg = Tensor::zeros({3}, DType::f32);
  Tensor exp_avg_sq = Tensor::zeros({3}, DType::f32);

  OptimizerSlice views() const {
    return {.master = master.out(),
            .exp_avg = exp_avg.out(),
            .exp_avg_sq = exp_avg_sq.out(),
            .param = {},
            .grad = grad.in(),
            .lr = 0.1};
  }
};

TEST(Optimizer, AdamWMovesByTheLearningRateAtFirst) {
  const Slice slice;
  const OptimizerSlice views = slice.views();
  adamw_step({&views, 1}, {});
  expect_near(doubles_of(slice.master), Doubles(3, 0.9), 1e-6);
}

TEST(Optimizer, SgdMovesByTheGradient) {
  const Slice slice;
  const OptimizerSlice views = slice.views();
  sgd_step({&views, 1}, {});
  expect_near(doubles_of(slice.master), Doubles(3, 0.95), 1e-6);
}

TEST(Optimizer, LambScalesTheUpdateByTheTrustRatio) {
  const Slice slice;
  const OptimizerSlice views = slice.views();
  const std::vector<LambNorms> norms = lamb_moments({&views, 1}, {});
  ASSERT_EQ(norms.size(), 1u);
  EXPECT_NEAR(norms[0].param, 3.0, 1e-6);
  EXPECT_NEAR(norms[0].update, 3.0, 1e-6);
  const double trust = 2.0;
  lamb_apply({&views, 1}, {}, {&trust, 1});
  expect_near(doubles_of(slice.master), Doubles(3, 0.8), 1e-6);
}

TEST(Optimizer, RefusesAGradientOfAnotherLength) {
  const Slice slice;
  OptimizerSlice views = slice.views();
  views.grad.shape = {2};
  EXPECT_THROW(adamw_step({&views, 1}, {}), Error);
}

TEST(Optimizer, RefusesASliceWithoutItsSecondMoment) {
  const Slice slice;
  OptimizerSlice views = slice.views();
  views.exp_avg_sq = {};
  EXPECT_THROW(adamw_step({&views, 1}, {}), Error);
  EXPECT_NO_THROW(sgd_step({&views, 1}, {}));
}

TEST(Random, AShardGetsTheNumbersOfTheWhole) {
  const Tensor whole = Tensor::empty({6, 4}, DType::f32);
  fill_normal(whole, {.seed = 1, .stream = 2}, {}, 0.5, 2.0);
  const Tensor shard = Tensor::empty({2, 4}, DType::f32);
  fill_normal(shard, {.seed = 1, .stream = 2}, {.first = 12}, 0.5, 2.0);
  EXPECT_TRUE(same_bits(shard, whole.rows(3, 2)));
}

TEST(Random, UniformNumbersLieInTheirRange) {
  const Tensor x = Tensor::empty({1000}, DType::f64);
  fill_uniform(x, {.seed = 1}, {}, -2.0, 3.0);
  for (double value : doubles_of(x)) EXPECT_TRUE(value >= -2.0 && value < 3.0) << value;
}

TEST(Probe, MeasuresAPositivePeak) { EXPECT_GT(measured_peak_flops(DType::f32, 0.01), 1e8); }

}  // namespace
}  // namespace boostr::testing
