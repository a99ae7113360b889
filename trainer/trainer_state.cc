#include "ops/row_blocks.h"
#include "trainer/checkpoint/tensor_region.h"
#include "trainer/data/data_cursor.h"
#include "trainer/data/sample_order.h"
#include "trainer/trainer.h"

namespace boostr {
namespace {

/// Where the parameter's part begins along the axis that is cut.
std::int64_t part_begin(const Parameter& parameter) {
  const Shard& shard = parameter.shard();
  return shard_begin(parameter.global_shape()[shard.axis], shard.index, shard.count);
}

/// A rectangle of a tensor's part.
struct Block {
  std::vector<std::int64_t> offset;  ///< in the global tensor
  Shape shape;
  std::int64_t begin = 0;  ///< in the slice
};

/// Of a matrix that is cut between columns.
std::vector<Block> blocks_of_columns(const OwnedSlice& slice) {
  const std::int64_t first = part_begin(slice.parameter);
  std::vector<Block> blocks;
  for_each_row_block(
      slice.begin, slice.numel, slice.parameter.shape()[1], [&](const RowBlock& block) {
        blocks.push_back(
            {{block.row, first + block.column}, Shape{block.rows, block.columns}, block.at});
      });
  return blocks;
}

/// A whole tensor keeps its shape in the file; a part that is contiguous there is a flat slice.
std::vector<Block> blocks_of(const OwnedSlice& slice) {
  const Shape& global = slice.parameter.global_shape();
  if (slice.numel == global.numel())
    return {{std::vector<std::int64_t>(static_cast<std::size_t>(global.num_dims())), global}};
  const Shard& shard = slice.parameter.shard();
  if (shard.axis != 0 && shard.count > 1) return blocks_of_columns(slice);
  const std::int64_t row_numel = global.numel() / global[0];
  return {{{part_begin(slice.parameter) * row_numel + slice.begin}, Shape{slice.numel}}};
}

/// Adds to `tensors` what `flat` has of the slice; nothing if it is undefined.
void add_slice(std::vector<CheckpointTensor>& tensors, const std::string& group,
               const OwnedSlice& slice, const Tensor& flat) {
  if (!flat.defined()) return;
  for (const Block& block : blocks_of(slice))
    tensors.push_back({group, slice.parameter.name(), slice.parameter.global_shape(), block.offset,
                       flat.rows(block.begin, block.shape.numel()).view(block.shape).out()});
}

void add_state(std::vector<CheckpointTensor>& tensors, const Optimizer::SliceState& state) {
  add_slice(tensors, "parameters", state.slice, state.master);
  add_slice(tensors, "optimizer/exp_avg", state.slice, state.exp_avg);
  add_slice(tensors, "optimizer/exp_avg_sq", state.slice, state.exp_avg_sq);
}

}  // namespace

std::vector<CheckpointTensor> Trainer::gradients() const {
  std::vector<CheckpointTensor> tensors;
  for (const OwnedSlice& slice : zero_->owned()) add_slice(tensors, "gradients", slice, slice.grad);
  return tensors;
}

std::vector<CheckpointTensor> Trainer::tensors_to_load() const {
  std::vector<CheckpointTensor> tensors;
  for (const Optimizer::SliceState& state : optimizer_->state()) add_state(tensors, state);
  return tensors;
}

std::vector<CheckpointTensor> Trainer::checkpoint_tensors() const {
  std::vector<CheckpointTensor> tensors;
  for (const Optimizer::SliceState& state : optimizer_->state())
    if (state.slice.parameter.shard().copy == 0) add_state(tensors, state);
  // Of what several ranks own alike each writes its share.
  return deal_out(tensors, zero_->owners().index, zero_->owners().count);
}

TrainingState Trainer::training_state() const {
  expect(!open_, "step ", step_, " is not settled");
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
