#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ops/optimizer.h"
#include "ops/parameter.h"
#include "parallel/zero/zero.h"
#include "trainer/recipe.h"

namespace boostr {

/// Master weights and moments of the owned slices, and the update rule: AdamW, LAMB or SGD, one
/// fused pass over all tensors (LAMB two). Masters are of the accumulator type; where the compute
/// type is that already the parameter itself is the master, otherwise the pass also writes the
/// rounded weights back.
class Optimizer {
 public:
  /// Allocates the state (moments zero, masters uninitialised) of what `zero`, which must outlive
  /// it, says this rank updates.
  /// With `offload_path` the state lies in files there (see mapped_zeros), and in memory only about
  /// a slice at a time.
  Optimizer(const OptimizerSection& section, const Zero& zero, std::string offload_path = "");

  /// Collective: one update with learning rate section.lr * lr_factor; every gradient is multiplied by
  /// `grad_factor` first. `step` counts from 1.
  void step(std::int64_t step, double lr_factor, double grad_factor);

  /// L2 norm of grad_factor * the gradients of all parameters on all ranks, from fixed-order sums
  /// over fixed chunks of each parameter. Collective.
  double grad_norm(double grad_factor) const;
  /// The squares that it adds up: of each whole parameter, in order of use. Collective.
  std::vector<double> squared_grad_norms(double grad_factor) const;

  /// What a checkpoint holds of slice i: master, exp_avg, exp_avg_sq (undefined where the rule
  /// keeps none), flat.
  struct SliceState {
    OwnedSlice slice;
    Tensor master, exp_avg, exp_avg_sq;
  };
  std::span<const SliceState> state() const { return state_; }

  /// Copies every master into its parameter's compute-type value, after masters were initialised or
  /// loaded.
  void write_parameters();

 private:
  Tensor state_zeros(const OwnedSlice& slice) const;
  OptimizerSlice slice_views(std::size_t index, double lr) const;
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
