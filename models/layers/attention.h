#pragma once

#include <optional>

#include "models/layers/linear.h"
#include "models/layers/rms_norm.h"
#include "models/layers/rope_tables.h"
#include "models/llama_config.h"

namespace boostr {

/// Causal self-attention with grouped queries, rotary positions, optional biases, QK-norm and
/// sliding window: o(attention(rope(norm(q x)), rope(norm(k x)), v x)).
class Attention {
 public:
  Attention(const LlamaConfig& config, DType dtype);

  /// x [B, S, E] -> [B, S, E]. `tables` cover at least S positions; `documents` as in Microbatch.
  Tensor operator()(const Tensor& x, const RopeTables& tables, const Tensor& documents) const;

  void visit(const std::string& name, const ParameterVisitor& visitor);

 private:
  std::int64_t num_heads_, num_kv_heads_, head_dim_, window_;
  bool interleaved_;
  Linear q_proj_, k_proj_, v_proj_, o_proj_;
  std::optional<RmsNorm> q_norm_, k_norm_;
};

}  // namespace boostr
