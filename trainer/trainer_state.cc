#include <fmt/format.h>

#include "trainer/checkpoint/tensor_region.h"
#include "trainer/data/data_cursor.h"
#include "trainer/data/sample_order.h"
#include "trainer/trainer.h"

namespace boostr {
namespace {

/// Where the slice begins in the flattened global tensor.
std::int64_t global_offset(const OwnedSlice& slice) {
  const Shape& global = slice.parameter.global_shape();
  const Shard& shard = slice.parameter.shard();
  if (shard.count == 1) return slice.begin;
  expect(shard.axis == 0, "parameter '", slice.parameter.name(),
         "' is not cut along its first dimension");
  return shard_begin(global[0], shard.index, shard.count) * (global.numel() / global[0]) +
         slice.begin;
}

/// A whole tensor keeps its shape in the file; a part of one is a flat slice.
CheckpointTensor checkpoint_tensor(const std::string& group, const OwnedSlice& slice,
                                   const Tensor& flat) {
  const Shape& global = slice.parameter.global_shape();
  if (slice.numel != global.numel())
    return {group, slice.parameter.name(), global, {global_offset(slice)}, flat.out()};
  const std::vector<std::int64_t> origin(static_cast<std::size_t>(global.num_dims()), 0);
  return {group, slice.parameter.name(), global, origin, flat.view(global).out()};
}

}  // namespace

std::vector<CheckpointTensor> Trainer::tensors_to_load() const {
  std::vector<CheckpointTensor> tensors;
  for (const Optimizer::SliceState& state : optimizer_->state()) {
    tensors.push_back(checkpoint_tensor("parameters", state.slice, state.master));
    if (state.exp_avg.defined())
      tensors.push_back(checkpoint_tensor("optimizer/exp_avg", state.slice, state.exp_avg));
    if (state.exp_avg_sq.defined())
      tensors.push_back(checkpoint_tensor("optimizer/exp_avg_sq", state.slice, state.exp_avg_sq));
  }
  return tensors;
}

std::vector<CheckpointTensor> Trainer::checkpoint_tensors() const {
  // At ZeRO stage 0 every data-parallel rank owns everything: each writes its share.
  return deal_out(tensors_to_load(), mesh_.dp().rank(), mesh_.dp().size());
}

TrainingState Trainer::training_state() const {
  TrainingState state;
  state.step = step_;
  state.loss_scale = loss_scaler_.state().scale;
  state.loss_scale_finite_steps = loss_scaler_.state().finite_steps;
  state.seed = recipe_.training.seed;
  state.data_cursor = to_json(loader_->cursor());
  state.mesh = mesh_.describe();
  return state;
}

std::vector<std::string> Trainer::restore(const TrainingState& state) {
  step_ = state.step;
  loss_scaler_.restore({state.loss_scale, state.loss_scale_finite_steps});
  optimizer_->write_parameters();
  zero_->gather_parameters();
  ResumedCursor resumed = resume_cursor(data_cursor_from_json(state.data_cursor), dataset_.shares(),
                                        recipe_.training.seed);
  loader_ = std::make_unique<BatchLoader>(dataset_, resumed.cursor, rank_slice());
  return resumed.changes;
}

}  // namespace boostr
