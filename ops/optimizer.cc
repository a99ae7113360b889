#include "ops/optimizer.h"

#include "ops/tensor.h"

namespace boostr {
namespace {

/// Whether an optional or required view is a vector of n elements.
bool fits(const In& view, std::int64_t n) { return !view || view.shape == Shape{n}; }

/// Throws if a slice has a part of its old state without the others.
void check_old_state(const OptimizerSlice& slice) {
  const bool complete = !slice.old_master || (bool(slice.old_exp_avg) == bool(slice.exp_avg) &&
                                              bool(slice.old_exp_avg_sq) == bool(slice.exp_avg_sq));
  expect(complete && (slice.old_master || (!slice.old_exp_avg && !slice.old_exp_avg_sq)),
         "optimizer: a slice has a part of its old state only");
}

/// Throws unless every slice has its gradient and the first `moments` of its two moments.
void check(std::span<const OptimizerSlice> slices, int moments) {
  for (const OptimizerSlice& slice : slices) {
    const std::int64_t n = slice.master.shape.numel();
    const DType acc = slice.master.dtype;
    expect(slice.master.shape == Shape{n} && (acc == DType::f32 || acc == DType::f64),
           "optimizer: the master weights are ", acc, " of shape ", slice.master.shape,
           ", expected f32 or f64 of one dimension");
    for (const In& view : {In(slice.exp_avg), In(slice.exp_avg_sq), slice.grad, slice.old_master,
                           slice.old_exp_avg, slice.old_exp_avg_sq})
      expect(fits(view, n) && (!view || view.dtype == acc), "optimizer: beside ", n,
             " master weights of ", acc, " stands a view of ", view.dtype, " of shape ",
             view.shape);
    expect(fits(slice.param, n), "optimizer: ", n, " master weights go to parameters of shape ",
           slice.param.shape);
    const bool complete = n == 0 || (slice.grad && (moments < 1 || slice.exp_avg) &&
                                     (moments < 2 || slice.exp_avg_sq));
    expect(complete, "optimizer: a slice lacks its gradient or a moment");
    check_old_state(slice);
  }
}

void check_in_place(std::span<const OptimizerSlice> slices) {
  for (const OptimizerSlice& slice : slices)
    expect(!slice.old_master, "lamb: the state is updated in place");
}

}  // namespace

void adamw_step(std::span<const OptimizerSlice> slices, const AdamWStep& step, Device device) {
  check(slices, 2);
  kernels(device).adamw(current_stream(device), slices, step);
}

std::vector<LambNorms> lamb_moments(std::span<const OptimizerSlice> slices, const AdamWStep& step,
                                    Device device) {
  check(slices, 2);
  check_in_place(slices);
  std::int64_t chunks = 0;
  for (const OptimizerSlice& slice : slices) chunks += num_norm_chunks(slice.master.shape.numel());
  const Tensor norms = Tensor::empty({2 * chunks}, DType::f64, device);
  kernels(device).lamb_moments(current_stream(device), slices, step, norms.out());
  const auto values = norms.values<double>();
  std::vector<LambNorms> result;
  for (std::size_t i = 0; i < values.size(); i += 2)
    result.push_back({.param = values[i], .update = values[i + 1]});
  return result;
}

void lamb_apply(std::span<const OptimizerSlice> slices, const AdamWStep& step,
                std::span<const double> trust, Device device) {
  check(slices, 2);
  check_in_place(slices);
  expect(trust.size() == slices.size(), "lamb_apply: ", trust.size(), " trust ratios for ",
         slices.size(), " slices");
  kernels(device).lamb_apply(current_stream(device), slices, step, trust);
}

void sgd_step(std::span<const OptimizerSlice> slices, const SgdStep& step, Device device) {
  check(slices, step.momentum != 0 ? 1 : 0);
  kernels(device).sgd(current_stream(device), slices, step);
}

}  // namespace boostr
