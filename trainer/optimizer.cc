#include "trainer/optimizer.h"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>

#include "ops/copy.h"
#include "ops/norm.h"
#include "ops/optimizer.h"

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

/// The slice of the parameter's own value, flat, sharing bytes.
Tensor value_slice(const OwnedSlice& slice) {
  const Tensor value = slice.parameter.value().detach();
  return value.view({value.numel()}).rows(slice.begin, slice.numel);
}

Tensor grad_slice(const OwnedSlice& slice) {
  const Tensor& grad = slice.parameter.grad();
  return grad.view({grad.numel()}).rows(slice.begin, slice.numel);
}

bool has_own_master(const Parameter& parameter) {
  return parameter.dtype() != accumulator_of(parameter.dtype());
}

Tensor moment(const OwnedSlice& slice) {
  return Tensor::zeros({slice.numel}, accumulator_of(slice.parameter.dtype()));
}

/// Both passes of LAMB: the trust ratio ||p|| / ||u||, 1 where either is 0, at most
/// `max_trust_ratio`.
void lamb_step(std::span<const OptimizerSlice> slices, const AdamWStep& step,
               double max_trust_ratio) {
  std::vector<double> trust;
  for (const LambNorms& norms : lamb_moments(slices, step)) {
    const bool usable = norms.param > 0 && norms.update > 0;
    trust.push_back(usable ? std::min(std::sqrt(norms.param / norms.update), max_trust_ratio)
                           : 1.0);
  }
  lamb_apply(slices, step, trust);
}

}  // namespace

Optimizer::Optimizer(const OptimizerSection& section, std::vector<OwnedSlice> slices)
    : section_(section) {
  for (OwnedSlice& slice : slices) {
    const GroupSettings settings =
        group_settings(section, slice.parameter.name(), slice.parameter.global_shape().num_dims());
    lr_factors_.push_back(settings.lr_factor);
    weight_decays_.push_back(settings.weight_decay);
    SliceState state;
    state.master = has_own_master(slice.parameter) ? moment(slice) : value_slice(slice);
    if (section.name != "SGD" || section.momentum != 0) state.exp_avg = moment(slice);
    if (section.name != "SGD") state.exp_avg_sq = moment(slice);
    state.slice = std::move(slice);
    state_.push_back(std::move(state));
  }
}

void Optimizer::step(std::int64_t step, double lr_factor, double grad_factor) {
  std::vector<OptimizerSlice> slices;
  for (std::size_t i = 0; i < state_.size(); ++i) {
    const SliceState& state = state_[i];
    if (!state.slice.parameter.has_grad()) continue;
    OptimizerSlice slice;
    slice.master = state.master.out();
    if (state.exp_avg.defined()) slice.exp_avg = state.exp_avg.out();
    if (state.exp_avg_sq.defined()) slice.exp_avg_sq = state.exp_avg_sq.out();
    if (has_own_master(state.slice.parameter)) slice.param = value_slice(state.slice).out();
    slice.grad = grad_slice(state.slice).in();
    slice.lr = section_.lr * lr_factor * lr_factors_[i];
    slice.weight_decay = weight_decays_[i];
    slices.push_back(slice);
  }
  const AdamWStep adam{section_.betas[0], section_.betas[1], section_.eps, grad_factor, step};
  if (section_.name == "AdamW") return adamw_step(slices, adam);
  if (section_.name == "LAMB") return lamb_step(slices, adam, section_.max_trust_ratio);
  expect(section_.name == "SGD", "unknown optimizer '", section_.name, "'");
  sgd_step(slices, SgdStep{section_.momentum, section_.nesterov, grad_factor, step});
}

double Optimizer::grad_norm(double grad_factor) const {
  double sum = 0;
  for (const SliceState& state : state_)
    if (state.slice.parameter.has_grad())
      sum += sum_of_squares(grad_slice(state.slice), grad_factor);
  return std::sqrt(sum);
}

void Optimizer::write_parameters() {
  for (const SliceState& state : state_)
    if (has_own_master(state.slice.parameter)) copy_into(value_slice(state.slice), state.master);
}

}  // namespace boostr
