#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/runtime/view.h"

namespace boostr {

/// A part of a tensor, in the tensor's global indices. One of two kinds:
/// - a block: one offset and one extent per dimension of `global_shape`;
/// - a slice: one offset and one extent into the tensor flattened in row-major order.
struct TensorRegion {
  Shape global_shape;
  std::vector<std::int64_t> offset;
  Shape shape;

  bool is_slice() const { return shape.num_dims() == 1 && global_shape.num_dims() != 1; }
  friend bool operator==(const TensorRegion&, const TensorRegion&) = default;
};

/// The part of one tensor that this rank writes to, or fills from, a checkpoint.
struct CheckpointTensor {
  std::string group;   ///< "parameters", "optimizer/exp_avg", "optimizer/exp_avg_sq"
  std::string name;    ///< global name: "model.layers.0.self_attn.q_proj.weight"
  Shape global_shape;  ///< of the whole tensor
  std::vector<std::int64_t>
      offset;  ///< of `local` in it: one number per dimension, or one into the flattened tensor
  Out local;   ///< row-contiguous, owned by the caller

  TensorRegion region() const { return {global_shape, offset, local.shape}; }
};

/// All that a run needs besides its tensors to continue to the bit; alike on every rank.
struct TrainingState {
  std::int64_t step = 0;  ///< updates made; the checkpoint's name
  double loss_scale = 1.0;
  std::int64_t loss_scale_finite_steps = 0;  ///< since the scale last changed
  std::uint64_t seed = 0;
  std::string data_cursor = "{}";  ///< JSON: where the data stream stands
  std::string mesh = "{}";         ///< JSON: the mesh's degrees, for people
  std::string extra = "{}";        ///< JSON: whatever else the trainer keeps
  std::string recipe;              ///< the resolved recipe, YAML
};

}  // namespace boostr
