#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ops/optimizer.h"
#include "ops/parameter.h"
#include "parallel/zero/zero.h"
#include "trainer/recipe.h"

namespace boostr {

/// The norm of all parameters of which `squares` has each one's squared norm.
double total_norm(std::span<const double> squares);

/// Master weights and moments of the owned slices, and the update rule: AdamW, LAMB or SGD, one
/// fused pass over all tensors (LAMB two). Masters are of the accumulator type; where the compute
/// type is that already the parameter itself is the master, otherwise the pass also writes the
/// rounded weights back.
class Optimizer {
 public:
  /// Allocates the state (moments zero, masters uninitialised) of what `zero`, which must outlive
  /// it, says this rank updates; twice with section.post_validation.
  /// With `offload_path` the state lies in files there (see mapped_zeros), and in memory only about
  /// a slice at a time.
  Optimizer(const OptimizerSection& section, const Zero& zero, std::string offload_path = "");

  /// Collective: one update with learning rate section.lr * lr_factor; every gradient is multiplied by
  /// `grad_factor` first. `step` counts from 1.
  void step(std::int64_t step, double lr_factor, double grad_factor);
  /// The same with section.post_validation (AdamW, SGD), and not collective: the state as it was is
  /// kept, until the next update.
  void step_on_trial(std::int64_t step, double lr_factor, double grad_factor);
  /// Brings the state of before that back, to the bit, and the parameters' values with it.
  void undo();

  /// The squared L2 norm of grad_factor * the gradient of each whole parameter, in order of use, from
  /// fixed-order sums over fixed chunks. Collective.
  ReducedNumbers squared_grad_norms(double grad_factor) const;
  /// L2 norm of grad_factor * the gradients of all parameters on all ranks. Collective.
  double grad_norm(double grad_factor) const {
    return total_norm(squared_grad_norms(grad_factor).wait());
  }

  /// What a checkpoint holds of slice i: master, exp_avg, exp_avg_sq (undefined where the rule
  /// keeps none), flat.
  struct SliceState {
    OwnedSlice slice;
    Tensor master, exp_avg, exp_avg_sq;
  };
  std::span<const SliceState> state() const { return state_; }

  /// Every master's initial values, as initialize() of models/model.h has them, in its parameter too.
  void initialize(std::uint64_t seed);
  /// Copies every master into its parameter's compute-type value, after masters were initialised or
  /// loaded.
  void write_parameters();

 private:
  SliceState zero_state(const OwnedSlice& slice) const;
  OptimizerSlice slice_views(std::size_t index, double lr) const;
  bool has_own_master(const OwnedSlice& slice) const;
  AdamWStep adam_step(std::int64_t step, double grad_factor) const;
  /// AdamW or SGD over slices.
  void update(std::span<const OptimizerSlice> slices, std::int64_t step, double grad_factor) const;
  /// Slices of one pass, and what follows it: all, or some whose state is let go afterwards.
  void in_batches(
      double lr_factor,
      const std::function<void(std::size_t first, std::span<const OptimizerSlice>)>& pass);
  void let_go(std::size_t first, std::size_t count) const;
  /// Both passes of LAMB.
  void lamb_step(double lr_factor, const AdamWStep& step);
  /// The trust ratio of each slice's parameter from its chunks' norms: ||p|| / ||u||, 1 where either
  /// is 0, at most max_trust_ratio. Collective.
  std::vector<double> lamb_trust(std::span<const double> chunks) const;

  OptimizerSection section_;
  std::string offload_path_;
  const ChunkSums& sums_;
  std::vector<SliceState> state_;
  std::vector<SliceState> other_;  ///< with post_validation: of before, or for the next trial
  std::vector<double> lr_factors_, weight_decays_;
};

/// lr factor and weight decay of the parameter `name` with `num_dims` dimensions under `section`:
/// decay applies to tensors of two or more dimensions (embeddings and head included) unless a group
/// says otherwise.
struct GroupSettings {
  double lr_factor = 1.0;
  double weight_decay = 0.0;
};
GroupSettings group_settings(const OptimizerSection& section, const std::string& name,
                             int num_dims);

/// Throws Error(usage) for a group of `section` whose pattern matches none of the parameters
/// `names`.
void require_groups_match(const OptimizerSection& section, std::span<const std::string> names);

}  // namespace boostr
