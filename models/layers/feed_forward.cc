#include "models/layers/feed_forward.h"

namespace boostr {
namespace {

Activation activation_named(const std::string& name) {
  if (name == "silu") return Activation::silu;
  if (name == "gelu") return Activation::gelu;
  if (name == "gelu_pytorch_tanh") return Activation::gelu_tanh;
  throw Error(ExitCode::usage,
              text("unknown hidden_act '", name, "'; choose silu, gelu or gelu_pytorch_tanh"));
}

}  // namespace

FeedForward::FeedForward(const LlamaConfig& config, DType dtype)
    : activation_(activation_named(config.hidden_act)),
      gate_proj_(config.hidden_size, config.intermediate_size, config.mlp_bias, dtype,
                 config.initializer_range),
      up_proj_(config.hidden_size, config.intermediate_size, config.mlp_bias, dtype,
               config.initializer_range),
      down_proj_(config.intermediate_size, config.hidden_size, config.mlp_bias, dtype,
                 config.initializer_range) {}

void FeedForward::visit(const std::string& name, const ParameterVisitor& visitor) {
  gate_proj_.visit(name + ".gate_proj", visitor);
  up_proj_.visit(name + ".up_proj", visitor);
  down_proj_.visit(name + ".down_proj", visitor);
}

}  // namespace boostr
