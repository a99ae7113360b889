#include "models/llama.h"

#include <algorithm>

#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/linear_cross_entropy.h"

namespace boostr {

LlamaConfig resolved(LlamaConfig config) {
  if (config.num_key_value_heads == 0) config.num_key_value_heads = config.num_attention_heads;
  if (config.head_dim == 0) {
    require(config.hidden_size % config.num_attention_heads == 0, ExitCode::usage,
            "hidden_size = ", config.hidden_size,
            " is not a multiple of num_attention_heads = ", config.num_attention_heads,
            "; set head_dim");
    config.head_dim = config.hidden_size / config.num_attention_heads;
  }
  require(config.num_attention_heads % config.num_key_value_heads == 0, ExitCode::usage,
          "num_attention_heads = ", config.num_attention_heads,
          " is not a multiple of num_key_value_heads = ", config.num_key_value_heads);
  require(config.head_dim % 2 == 0, ExitCode::usage, "head_dim = ", config.head_dim,
          " is odd; rotary embeddings turn pairs of dimensions");
  return config;
}

LlamaLayer::LlamaLayer(const LlamaConfig& config, DType dtype)
    : input_layernorm_(config.hidden_size, dtype, config.rms_norm_eps),
      post_attention_layernorm_(config.hidden_size, dtype, config.rms_norm_eps),
      self_attn_(config, dtype),
      mlp_(config, dtype) {}

Tensor LlamaLayer::operator()(const Tensor& x, const RopeTables& tables,
                              const Tensor& documents) const {
  const Tensor h = add(x, self_attn_(input_layernorm_(x), tables, documents));
  return add(h, mlp_(post_attention_layernorm_(h)));
}

void LlamaLayer::visit(const std::string& name, const ParameterVisitor& visitor) {
  input_layernorm_.visit(name + ".input_layernorm", visitor);
  self_attn_.visit(name + ".self_attn", visitor);
  post_attention_layernorm_.visit(name + ".post_attention_layernorm", visitor);
  mlp_.visit(name + ".mlp", visitor);
}

Llama::Llama(const LlamaConfig& config, std::int64_t max_seq_len, DType dtype)
    : config_(resolved(config)),
      tables_(rope_tables(
          max_seq_len, rope_frequencies(config_.head_dim, config_.rope_theta, config_.rope_scaling),
          accumulator_of(dtype))),
      embed_tokens_({config_.vocab_size, config_.hidden_size}, dtype,
                    {0, config_.initializer_range}),
      norm_(config_.hidden_size, dtype, config_.rms_norm_eps) {
  for (std::int64_t i = 0; i < config_.num_hidden_layers; ++i) layers_.emplace_back(config_, dtype);
  if (!config_.tie_word_embeddings)
    lm_head_ =
        Parameter({config_.vocab_size, config_.hidden_size}, dtype, {0, config_.initializer_range});
  visit([this](const std::string& name, Parameter& parameter) {
    parameter.set_name(name);
    multiplied_parameters_ += static_cast<double>(parameter.numel());
  });
  if (!config_.tie_word_embeddings)
    multiplied_parameters_ -= static_cast<double>(embed_tokens_.numel());
}

Tensor Llama::embed(const Microbatch& microbatch) const {
  return embedding(embed_tokens_, microbatch.input_ids);
}

Tensor Llama::layer(std::int64_t index, const Tensor& x, const Microbatch& microbatch) const {
  return layers_[static_cast<std::size_t>(index)](x, tables_, microbatch.documents);
}

Tensor Llama::loss(const Tensor& x, const Microbatch& microbatch, double scale) const {
  return linear_cross_entropy(norm_(x), head(), microbatch.targets, scale);
}

Tensor Llama::logits(const Tensor& x) const { return linear(norm_(x), head()); }

void Llama::visit(const ParameterVisitor& visitor) {
  visitor("model.embed_tokens.weight", embed_tokens_);
  for (std::size_t i = 0; i < layers_.size(); ++i)
    layers_[i].visit(text("model.layers.", i), visitor);
  norm_.visit("model.norm", visitor);
  if (lm_head_.defined()) visitor("lm_head.weight", lm_head_);
}

double Llama::flops_per_sequence(std::int64_t seq_len) const {
  const auto length = static_cast<double>(seq_len);
  const std::int64_t window =
      config_.sliding_window > 0 ? std::min(config_.sliding_window, seq_len) : seq_len;
  const double pairs = double(window) * length - 0.5 * double(window) * double(window);
  const double width = double(config_.num_attention_heads * config_.head_dim);
  return 6 * multiplied_parameters_ * length +
         12 * double(config_.num_hidden_layers) * pairs * width;
}

}  // namespace boostr
