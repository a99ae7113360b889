#include "models/layers/feed_forward.h"

#include "ops/transient.h"

namespace boostr {
namespace {

Activation activation_named(const std::string& name) {
  if (name == "silu") return Activation::silu;
  if (name == "gelu") return Activation::gelu;
  if (name == "gelu_pytorch_tanh") return Activation::gelu_tanh;
  throw Error(ExitCode::usage,
              text("unknown hidden_act '", name, "'; choose silu, gelu or gelu_pytorch_tanh"));
}

LinearOptions linear_options(const LlamaConfig& config, DType dtype) {
  return {.bias = config.mlp_bias, .dtype = dtype, .init_std = config.initializer_range};
}

}  // namespace

FeedForward::FeedForward(const LlamaConfig& config, DType dtype, TensorParallel& tp)
    : activation_(activation_named(config.hidden_act)),
      gate_proj_(config.hidden_size, config.intermediate_size, linear_options(config, dtype), tp),
      up_proj_(config.hidden_size, config.intermediate_size, linear_options(config, dtype), tp),
      down_proj_(config.intermediate_size, config.hidden_size, linear_options(config, dtype), tp) {}

Tensor FeedForward::operator()(const Tensor& x, bool keep_all) const {
  const Tensor gate = gate_proj_(x), up = up_proj_(x);
  const Transient gated([this, gate, up] { return gated_activation(gate, up, activation_); },
                        keep_all);
  return down_proj_(gated.value());
}

void FeedForward::visit(const std::string& name, const ParameterVisitor& visitor) {
  gate_proj_.visit(name + ".gate_proj", visitor);
  up_proj_.visit(name + ".up_proj", visitor);
  down_proj_.visit(name + ".down_proj", visitor);
}

}  // namespace boostr
