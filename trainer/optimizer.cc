#include "trainer/optimizer.h"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

#include "ops/copy.h"
#include "ops/norm.h"

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

bool has_own_master(const Parameter& parameter) {
  return parameter.dtype() != accumulator_of(parameter.dtype());
}

Tensor moment(const OwnedSlice& slice) {
  return Tensor::zeros({slice.numel}, accumulator_of(slice.parameter.dtype()));
}

}  // namespace

Optimizer::Optimizer(const OptimizerSection& section, const Zero& zero)
    : section_(section), sums_(zero.sums()) {
  for (const OwnedSlice& slice : zero.owned()) {
    const GroupSettings settings =
        group_settings(section, slice.parameter.name(), slice.parameter.global_shape().num_dims());
    lr_factors_.push_back(settings.lr_factor);
    weight_decays_.push_back(settings.weight_decay);
    SliceState state;
    state.master = has_own_master(slice.parameter) ? moment(slice) : slice.value;
    if (section.name != "SGD" || section.momentum != 0) state.exp_avg = moment(slice);
    if (section.name != "SGD") state.exp_avg_sq = moment(slice);
    state.slice = slice;
    state_.push_back(std::move(state));
  }
}

void Optimizer::step(std::int64_t step, double lr_factor, double grad_factor) {
  std::vector<OptimizerSlice> slices;
  for (std::size_t i = 0; i < state_.size(); ++i) {
    const SliceState& state = state_[i];
    OptimizerSlice slice;
    slice.master = state.master.out();
    if (state.exp_avg.defined()) slice.exp_avg = state.exp_avg.out();
    if (state.exp_avg_sq.defined()) slice.exp_avg_sq = state.exp_avg_sq.out();
    if (has_own_master(state.slice.parameter)) slice.param = state.slice.value.out();
    slice.grad = state.slice.grad.in();
    slice.lr = section_.lr * lr_factor * lr_factors_[i];
    slice.weight_decay = weight_decays_[i];
    slices.push_back(slice);
  }
  const AdamWStep adam{section_.betas[0], section_.betas[1], section_.eps, grad_factor, step};
  if (section_.name == "AdamW") return adamw_step(slices, adam);
  if (section_.name == "LAMB") return lamb_step(slices, adam);
  expect(section_.name == "SGD", "unknown optimizer '", section_.name, "'");
  sgd_step(slices, SgdStep{section_.momentum, section_.nesterov, grad_factor, step});
}

/// Both passes: the trust ratio of a parameter is ||p|| / ||u||, 1 where either is 0, at most
/// max_trust_ratio.
void Optimizer::lamb_step(std::span<const OptimizerSlice> slices, const AdamWStep& step) {
  std::vector<double> chunks;
  for (const LambNorms& norms : lamb_moments(slices, step)) {
    chunks.push_back(norms.param);
    chunks.push_back(norms.update);
  }
  const std::vector<double> norms = sums_.per_parameter(chunks, 2);
  std::vector<double> trust;
  for (const SliceState& state : state_) {
    const double param = norms[2 * state.slice.index], update = norms[2 * state.slice.index + 1];
    const bool usable = param > 0 && update > 0;
    trust.push_back(usable ? std::min(std::sqrt(param / update), section_.max_trust_ratio) : 1.0);
  }
  lamb_apply(slices, step, trust);
}

double Optimizer::grad_norm(double grad_factor) const {
  std::vector<double> chunks;
  for (const SliceState& state : state_)
    std::ranges::copy(sum_of_squares_partials(state.slice.grad, grad_factor),
                      std::back_inserter(chunks));
  const std::vector<double> squares = sums_.per_parameter(chunks);
  return std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
}

void Optimizer::write_parameters() {
  for (const SliceState& state : state_)
    if (has_own_master(state.slice.parameter)) copy_into(state.slice.value, state.master);
}

}  // namespace boostr
