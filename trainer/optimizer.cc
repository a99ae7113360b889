#include "trainer/optimizer.h"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

#include "kernels/runtime/memory_ledger.h"
#include "models/model.h"
#include "ops/copy.h"
#include "ops/norm.h"
#include "trainer/mapped_tensor.h"

namespace boostr {

GroupSettings group_settings(const OptimizerSection& section, const std::string& name,
                             int num_dims) {
  GroupSettings settings;
  if (num_dims >= 2 || section.decay_norms_and_biases) settings.weight_decay = section.weight_decay;
  for (const ParameterGroup& group : section.groups) {
    if (fnmatch(group.pattern.c_str(), name.c_str(), 0) != 0) continue;
    settings.lr_factor = group.lr_factor;
    if (group.weight_decay) settings.weight_decay = *group.weight_decay;
    break;
  }
  return settings;
}

void require_groups_match(const OptimizerSection& section, std::span<const std::string> names) {
  for (std::size_t i = 0; i < section.groups.size(); ++i) {
    const std::string& pattern = section.groups[i].pattern;
    const bool matches = std::ranges::any_of(names, [&](const std::string& name) {
      return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
    });
    require(matches, ExitCode::usage, "optimizer.groups.", i, ".pattern: '", pattern,
            "' matches none of the ", names.size(), " parameters, which are named like '",
            names.empty() ? "" : names[names.size() / 2], "'");
  }
}

namespace {

/// Makes the update read the state `old` and leave it as it is.
void read_from(OptimizerSlice& slice, const Optimizer::SliceState& old) {
  slice.old_master = old.master.in();
  if (old.exp_avg.defined()) slice.old_exp_avg = old.exp_avg.in();
  if (old.exp_avg_sq.defined()) slice.old_exp_avg_sq = old.exp_avg_sq.in();
}

/// State that a pass over offloaded slices brings into memory before it lets go, in bytes.
constexpr std::int64_t batch_bytes = std::int64_t{256} << 20;

}  // namespace

bool Optimizer::has_own_master(const OwnedSlice& slice) const {
  return section_.post_validation ||
         slice.parameter.dtype() != accumulator_of(slice.parameter.dtype());
}

Optimizer::SliceState Optimizer::zero_state(const OwnedSlice& slice) const {
  const DType dtype = accumulator_of(slice.parameter.dtype());
  const auto zeros = [&] {
    return offload_path_.empty() ? Tensor::zeros({slice.numel}, dtype)
                                 : mapped_zeros(offload_path_, slice.numel, dtype);
  };
  SliceState state;
  state.slice = slice;
  state.master = has_own_master(slice) ? zeros() : slice.value;
  if (section_.name != "SGD" || section_.momentum != 0) state.exp_avg = zeros();
  if (section_.name != "SGD") state.exp_avg_sq = zeros();
  return state;
}

Optimizer::Optimizer(const OptimizerSection& section, const Zero& zero, std::string offload_path)
    : section_(section), offload_path_(std::move(offload_path)), sums_(zero.sums()) {
  const CountMemoryAs scope(MemoryUse::optimizer);
  for (const OwnedSlice& slice : zero.owned()) {
    const GroupSettings settings =
        group_settings(section, slice.parameter.name(), slice.parameter.global_shape().num_dims());
    lr_factors_.push_back(settings.lr_factor);
    weight_decays_.push_back(settings.weight_decay);
    state_.push_back(zero_state(slice));
    if (section.post_validation) other_.push_back(zero_state(slice));
  }
}

OptimizerSlice Optimizer::slice_views(std::size_t index, double lr) const {
  const SliceState& state = state_[index];
  OptimizerSlice slice;
  slice.master = state.master.out();
  if (state.exp_avg.defined()) slice.exp_avg = state.exp_avg.out();
  if (state.exp_avg_sq.defined()) slice.exp_avg_sq = state.exp_avg_sq.out();
  if (has_own_master(state.slice)) slice.param = state.slice.value.out();
  slice.grad = state.slice.grad.in();
  slice.lr = lr * lr_factors_[index];
  slice.weight_decay = weight_decays_[index];
  return slice;
}

void Optimizer::in_batches(
    double lr_factor,
    const std::function<void(std::size_t, std::span<const OptimizerSlice>)>& pass) {
  const bool offloads = !offload_path_.empty();
  std::vector<OptimizerSlice> batch;
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < state_.size(); ++i) {
    batch.push_back(slice_views(i, section_.lr * lr_factor));
    bytes += 3 * static_cast<std::int64_t>(In(batch.back().master).bytes());
    const bool full = offloads && bytes >= batch_bytes;
    if (!full && i + 1 < state_.size()) continue;
    const std::size_t first = i + 1 - batch.size();
    pass(first, batch);
    if (offloads) let_go(first, batch.size());
    batch.clear();
    bytes = 0;
  }
}

void Optimizer::let_go(std::size_t first, std::size_t count) const {
  for (const SliceState& state : std::span(state_).subspan(first, count)) {
    if (has_own_master(state.slice)) boostr::let_go(state.master);
    if (state.exp_avg.defined()) boostr::let_go(state.exp_avg);
    if (state.exp_avg_sq.defined()) boostr::let_go(state.exp_avg_sq);
  }
}

AdamWStep Optimizer::adam_step(std::int64_t step, double grad_factor) const {
  return {section_.betas[0], section_.betas[1], section_.eps, grad_factor, step};
}

void Optimizer::update(std::span<const OptimizerSlice> slices, std::int64_t step,
                       double grad_factor) const {
  if (section_.name == "AdamW") return adamw_step(slices, adam_step(step, grad_factor));
  expect(section_.name == "SGD", "optimizer '", section_.name, "' has no update in one pass");
  sgd_step(slices, SgdStep{section_.momentum, section_.nesterov, grad_factor, step});
}

void Optimizer::step(std::int64_t step, double lr_factor, double grad_factor) {
  if (section_.name == "LAMB") return lamb_step(lr_factor, adam_step(step, grad_factor));
  in_batches(lr_factor, [&](std::size_t, std::span<const OptimizerSlice> slices) {
    update(slices, step, grad_factor);
  });
}

void Optimizer::step_on_trial(std::int64_t step, double lr_factor, double grad_factor) {
  expect(section_.post_validation, "an optimizer that keeps its state once cannot go back");
  std::swap(state_, other_);
  std::vector<OptimizerSlice> out_of_place;
  in_batches(lr_factor, [&](std::size_t first, std::span<const OptimizerSlice> slices) {
    out_of_place.assign(slices.begin(), slices.end());
    for (std::size_t i = 0; i < slices.size(); ++i) read_from(out_of_place[i], other_[first + i]);
    update(out_of_place, step, grad_factor);
  });
}

void Optimizer::undo() {
  std::swap(state_, other_);
  write_parameters();
}

void Optimizer::lamb_step(double lr_factor, const AdamWStep& step) {
  std::vector<double> chunks;
  in_batches(lr_factor, [&](std::size_t, std::span<const OptimizerSlice> slices) {
    for (const LambNorms& norms : lamb_moments(slices, step)) {
      chunks.push_back(norms.param);
      chunks.push_back(norms.update);
    }
  });
  const std::vector<double> trust = lamb_trust(chunks);
  in_batches(lr_factor, [&](std::size_t first, std::span<const OptimizerSlice> slices) {
    lamb_apply(slices, step, std::span(trust).subspan(first, slices.size()));
  });
}

std::vector<double> Optimizer::lamb_trust(std::span<const double> chunks) const {
  const std::vector<double> norms = sums_.per_parameter(chunks, 2);
  std::vector<double> trust;
  for (const SliceState& state : state_) {
    const double param = norms[2 * state.slice.index], update = norms[2 * state.slice.index + 1];
    const bool usable = param > 0 && update > 0;
    trust.push_back(usable ? std::min(std::sqrt(param / update), section_.max_trust_ratio) : 1.0);
  }
  return trust;
}

double total_norm(std::span<const double> squares) {
  return std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
}

ReducedNumbers Optimizer::squared_grad_norms(double grad_factor) const {
  std::vector<double> chunks;
  for (const SliceState& state : state_)
    std::ranges::copy(sum_of_squares_partials(state.slice.grad, grad_factor),
                      std::back_inserter(chunks));
  return sums_.start(chunks);
}

void Optimizer::initialize(std::uint64_t seed) {
  for (const SliceState& state : state_)
    boostr::initialize(state.master, state.slice.parameter, state.slice.begin, seed);
  write_parameters();
}

void Optimizer::write_parameters() {
  for (const SliceState& state : state_)
    if (has_own_master(state.slice)) copy_into(state.slice.value, state.master);
  if (!offload_path_.empty()) let_go(0, state_.size());
}

}  // namespace boostr
