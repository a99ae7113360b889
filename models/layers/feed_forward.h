#pragma once

#include "models/layers/linear.h"
#include "models/llama_config.h"
#include "ops/activation.h"

namespace boostr {

/// down(activation(gate x) * up x) (arXiv 2002.05202); with silu: SwiGLU. Each rank has a part of
/// the intermediate dimension.
class FeedForward {
 public:
  FeedForward(const LlamaConfig& config, DType dtype, TensorParallel& tp);

  /// From all tokens to the residual stream. With `keep_all` the activation's output is kept for
  /// the backward, not computed again.
  Tensor operator()(const Tensor& x, bool keep_all) const;

  void visit(const std::string& name, const ParameterVisitor& visitor);

 private:
  Activation activation_;
  ColumnParallelLinear gate_proj_, up_proj_;
  RowParallelLinear down_proj_;
};

}  // namespace boostr
