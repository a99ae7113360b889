#pragma once

#include <optional>

#include "models/layers/linear.h"
#include "models/layers/rms_norm.h"
#include "models/layers/rope_tables.h"
#include "models/llama_config.h"

namespace boostr {

/// Causal self-attention with grouped queries, rotary positions, optional biases, QK-norm and
/// sliding window: o(attention(rope(norm(q x)), rope(norm(k x)), v x)). Each rank has a part of the
/// heads; of keys and values a copy, where those have fewer heads than there are ranks.
class Attention {
 public:
  Attention(const LlamaConfig& config, DType dtype, TensorParallel& tp);

  /// From all tokens to the residual stream. `tables` cover at least the microbatch's positions.
  Tensor operator()(const Tensor& x, const RopeTables& tables, const Microbatch& microbatch) const;

  void visit(const std::string& name, const ParameterVisitor& visitor);

 private:
  /// In how many pieces keys and values are cut.
  static int kv_pieces(const LlamaConfig& config, const TensorParallel& tp);

  std::int64_t head_dim_, window_;
  bool interleaved_;
  ColumnParallelLinear q_proj_, k_proj_, v_proj_;
  RowParallelLinear o_proj_;
  std::optional<RmsNorm> q_norm_, k_norm_;
};

}  // namespace boostr
