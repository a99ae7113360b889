#pragma once

#include "models/layers/linear.h"
#include "models/llama_config.h"
#include "ops/activation.h"

namespace boostr {

/// down(activation(gate x) * up x) (arXiv 2002.05202); with silu: SwiGLU.
class FeedForward {
 public:
  FeedForward(const LlamaConfig& config, DType dtype);

  /// [B, S, E] -> [B, S, E]
  Tensor operator()(const Tensor& x) const {
    return down_proj_(gated_activation(gate_proj_(x), up_proj_(x), activation_));
  }

  void visit(const std::string& name, const ParameterVisitor& visitor);

 private:
  Activation activation_;
  Linear gate_proj_, up_proj_, down_proj_;
};

}  // namespace boostr
