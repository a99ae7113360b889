#include "tests/reference/optimizer.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/testing/levels.h"

namespace boostr::testing {
namespace {

constexpr int steps = 4;
constexpr std::int64_t sizes[] = {1, 7, 33, 64, 20000};

/// What an optimizer keeps for one tensor, and the same for the reference.
struct Weights {
  TestTensor master, exp_avg, exp_avg_sq, param;
  reference::OptimizerState expected;

  friend bool operator==(const Weights& a, const Weights& b) {
    return a.master == b.master && a.exp_avg == b.exp_avg && a.exp_avg_sq == b.exp_avg_sq &&
           a.param == b.param;
  }

  OptimizerSlice slice(const TestTensor& grad) {
    return {master.out(), exp_avg.out(), exp_avg_sq.out(),     param.out(),
            grad.in(),    expected.lr,   expected.weight_decay};
  }
};

/// Tensors of all sizes, each with its own lr and weight decay; every other one also keeps
/// low-precision weights.
std::vector<Weights> make_weights(DType compute) {
  const DType acc = accumulator_of(compute);
  std::vector<Weights> all;
  for (std::int64_t size : sizes) {
    const auto seed = std::uint64_t(size);
    Weights weights;
    weights.master = TestTensor::normal(acc, {size}, seed);
    weights.exp_avg = TestTensor::filled(acc, {size}, 0.0);
    weights.exp_avg_sq = TestTensor::filled(acc, {size}, 0.0);
    if (size % 2 == 1) weights.param = TestTensor(compute, {size});
    weights.expected = {weights.master.doubles(), weights.exp_avg.doubles(),
                        weights.exp_avg_sq.doubles(), 1e-3 * double(1 + size % 3),
                        0.1 * double(size % 2)};
    all.push_back(weights);
  }
  return all;
}

TestTensor make_grad(DType dtype, std::int64_t size, int step) {
  return TestTensor::normal(dtype, {size}, std::uint64_t(1000 * step + size), 3.0);
}

void expect_weights_close(const Weights& weights, const reference::OptimizerState& expected) {
  expect_close(weights.master, expected.weights);
  expect_close(weights.exp_avg, expected.exp_avg);
  expect_close(weights.exp_avg_sq, expected.exp_avg_sq);
  for (std::int64_t i = 0; i < weights.param.numel(); ++i) {
    const auto rounded = TestTensor::filled(weights.param.dtype(), {1}, weights.master.at(i));
    ASSERT_EQ(weights.param.at(i), rounded.at(0));
  }
}

/// Tensors before the first step, and all steps' gradients: grads[step - 1][tensor].
struct OptimizerCase {
  std::vector<Weights> weights;
  std::vector<std::vector<TestTensor>> grads;

  explicit OptimizerCase(DType compute) : weights(make_weights(compute)) {
    for (int step = 1; step <= steps; ++step) {
      grads.emplace_back();
      for (std::int64_t size : sizes) {
        grads.back().push_back(make_grad(accumulator_of(compute), size, step));
      }
    }
  }

  /// The tensors after all steps of `kernel(slices, step)`.
  template <class Kernel>
  std::vector<Weights> run(Kernel&& kernel) const {
    std::vector<Weights> result = weights;
    for (int step = 1; step <= steps; ++step) {
      std::vector<OptimizerSlice> slices;
      for (std::size_t i = 0; i < result.size(); ++i) {
        slices.push_back(result[i].slice(grads[step - 1][i]));
      }
      kernel(slices, step);
    }
    return result;
  }
};

/// Several steps of `kernel(kernels, stream, slices, step)` against `expected(state, grad, step)`,
/// in every type, on every level and any number of threads.
template <class Kernel, class Expected>
void check_optimizer(Kernel&& kernel, Expected&& expected) {
  for (const DType compute : float_types) {
    SCOPED_TRACE(text("compute ", compute));
    const OptimizerCase problem(compute);
    std::vector<reference::OptimizerState> states;
    for (std::size_t i = 0; i < problem.weights.size(); ++i) {
      states.push_back(problem.weights[i].expected);
      for (int step = 1; step <= steps; ++step)
        expected(states[i], problem.grads[step - 1][i].doubles(), step);
    }
    for_each_level([&](const KernelTable& kernels) {
      const auto result = same_on_any_threads([&](Stream& stream) {
        return problem.run([&](const std::vector<OptimizerSlice>& slices, int step) {
          kernel(kernels, stream, slices, step);
        });
      });
      for (std::size_t i = 0; i < result.size(); ++i) expect_weights_close(result[i], states[i]);
    });
  }
}

AdamWStep adam_step(int step) {
  return {.beta1 = 0.9, .beta2 = 0.95, .eps = 1e-6, .grad_factor = 0.25, .step = step};
}

TEST(AdamW, FollowsPyTorchOverSeveralSteps) {
  check_optimizer(
      [](const KernelTable& kernels, Stream& stream, const std::vector<OptimizerSlice>& slices,
         int step) { kernels.adamw(stream, slices, adam_step(step)); },
      [](reference::OptimizerState& state, const std::vector<double>& grad, int step) {
        reference::adamw(state, grad, adam_step(step));
      });
}

TEST(Lamb, FollowsThePaperOverSeveralSteps) {
  static constexpr double trust = 0.7;
  check_optimizer(
      [](const KernelTable& kernels, Stream& stream, const std::vector<OptimizerSlice>& slices,
         int step) {
        std::int64_t chunks = 0;
        for (const OptimizerSlice& slice : slices)
          chunks += num_norm_chunks(slice.master.shape.numel());
        TestTensor norms(DType::f64, {2 * chunks});
        kernels.lamb_moments(stream, slices, adam_step(step), norms);
        const std::vector<double> trusts(slices.size(), trust);
        kernels.lamb_apply(stream, slices, adam_step(step), trusts);
      },
      [](reference::OptimizerState& state, const std::vector<double>& grad, int step) {
        std::vector<double> update;
        reference::lamb_moments(state, grad, adam_step(step), update);
        reference::lamb_apply(state, update, trust);
      });
}

TEST(Lamb, ReportsSquaredNormsOfWeightsAndUpdate) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    // Three chunks, the last one not full.
    const std::int64_t size = 2 * norm_chunk + 77;
    const TestTensor grad = make_grad(dtype, size, 1);
    Weights start;
    start.master = TestTensor::normal(dtype, {size}, 5);
    start.exp_avg = start.exp_avg_sq = TestTensor::filled(dtype, {size}, 0.0);
    start.expected = {start.master.doubles(), start.exp_avg.doubles(), start.exp_avg_sq.doubles(),
                      1e-3, 0.1};
    std::vector<double> update;
    reference::OptimizerState state = start.expected;
    const auto expected = reference::lamb_moments(state, grad.doubles(), adam_step(1), update);
    for_each_level([&](const KernelTable& kernels) {
      const TestTensor norms = same_on_any_threads([&](Stream& stream) {
        Weights first = start, second = start;
        TestTensor result(DType::f64, {2 * 2 * 3});
        const std::vector<OptimizerSlice> slices{first.slice(grad), second.slice(grad)};
        kernels.lamb_moments(stream, slices, adam_step(1), result);
        return result;
      });
      auto sums = TestTensor::filled(DType::f64, {4}, 0.0);
      for (std::int64_t i = 0; i < 12; ++i)
        sums.set(i / 6 * 2 + i % 2, sums.at(i / 6 * 2 + i % 2) + norms.at(i));
      const std::vector<double> both{expected.weights, expected.update, expected.weights,
                                     expected.update};
      expect_close(sums, both, dtype == DType::f32 ? 1e-6 : 1e-13);
    });
  }
}

TEST(Sgd, FollowsPyTorchWithAndWithoutMomentumAndNesterov) {
  for (const SgdStep& settings : {SgdStep{.momentum = 0.0, .nesterov = false, .grad_factor = 0.5},
                                  SgdStep{.momentum = 0.9, .nesterov = false, .grad_factor = 1.0},
                                  SgdStep{.momentum = 0.9, .nesterov = true, .grad_factor = 1.0}}) {
    SCOPED_TRACE(text("momentum ", settings.momentum, ", nesterov ", settings.nesterov));
    const auto at = [&](int step) {
      SgdStep result = settings;
      result.step = step;
      return result;
    };
    check_optimizer(
        [&](const KernelTable& kernels, Stream& stream, const std::vector<OptimizerSlice>& slices,
            int step) { kernels.sgd(stream, slices, at(step)); },
        [&](reference::OptimizerState& state, const std::vector<double>& grad, int step) {
          reference::sgd(state, grad, at(step));
        });
  }
}

/// The slice of `fresh` that is updated from `old`.
OptimizerSlice slice_from(Weights& old, Weights& fresh, const TestTensor& grad) {
  OptimizerSlice slice = fresh.slice(grad);
  slice.old_master = old.master.in();
  slice.old_exp_avg = old.exp_avg.in();
  slice.old_exp_avg_sq = old.exp_avg_sq.in();
  return slice;
}

/// A step of `kernel(slices)` from an old state gives the bits of one in place and leaves the old
/// state alone; `weights` are those of after it then.
template <class Kernel>
void check_out_of_place_step(DType compute, std::vector<Weights>& weights,
                             const std::vector<TestTensor>& grads, Kernel&& kernel) {
  std::vector<Weights> in_place = weights, fresh = make_weights(compute);
  const std::vector<Weights> before = weights;
  std::vector<OptimizerSlice> slices, from_old;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    slices.push_back(in_place[i].slice(grads[i]));
    from_old.push_back(slice_from(weights[i], fresh[i], grads[i]));
  }
  kernel(slices);
  kernel(from_old);
  EXPECT_TRUE(fresh == in_place);
  EXPECT_TRUE(weights == before);
  weights = in_place;
}

/// Two of them, in every type and on every level.
template <class Kernel>
void check_out_of_place(Kernel&& kernel) {
  for (const DType compute : float_types) {
    SCOPED_TRACE(text("compute ", compute));
    for_each_level([&](const KernelTable& kernels) {
      Stream stream(cpu_device, 2);
      OptimizerCase problem(compute);
      for (int step = 1; step <= 2; ++step)
        check_out_of_place_step(compute, problem.weights,
                                problem.grads[static_cast<std::size_t>(step) - 1],
                                [&](const std::vector<OptimizerSlice>& slices) {
                                  kernel(kernels, stream, slices, step);
                                });
    });
  }
}

TEST(AdamW, UpdatesOutOfPlace) {
  check_out_of_place([](const KernelTable& kernels, Stream& stream,
                        const std::vector<OptimizerSlice>& slices,
                        int step) { kernels.adamw(stream, slices, adam_step(step)); });
}

TEST(Sgd, UpdatesOutOfPlace) {
  check_out_of_place(
      [](const KernelTable& kernels, Stream& stream, const std::vector<OptimizerSlice>& slices,
         int step) { kernels.sgd(stream, slices, {.momentum = 0.9, .step = step}); });
}

TEST(Sgd, WithoutMomentumNeedsNoBuffers) {
  for_each_level([&](const KernelTable& kernels) {
    Stream stream;
    auto master = TestTensor::filled(DType::f32, {9}, 1.0);
    const auto grad = TestTensor::filled(DType::f32, {9}, 2.0);
    const std::vector<OptimizerSlice> slices{{master.out(), {}, {}, {}, grad.in(), 0.25, 0.0}};
    kernels.sgd(stream, slices, {});
    EXPECT_EQ(master.doubles(), std::vector<double>(9, 0.5));
  });
}

}  // namespace
}  // namespace boostr::testing
