#include "models/llama.h"

#include <algorithm>

#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/linear_cross_entropy.h"
#include "ops/transient.h"

namespace boostr {

namespace {

/// Whether whole heads go to every rank, keys and values in copies where they are fewer.
bool heads_fit(const LlamaConfig& config, std::int64_t ranks) {
  const std::int64_t kv = config.num_key_value_heads;
  return config.num_attention_heads % ranks == 0 && (kv % ranks == 0 || ranks % kv == 0);
}

}  // namespace

std::string tensor_parallel_problem(const LlamaConfig& config, int ranks) {
  const std::int64_t widest = std::min(config.intermediate_size, config.vocab_size);
  if (heads_fit(config, ranks) && ranks <= widest) return {};
  std::string fitting;
  for (std::int64_t n = 1; n <= std::min(config.num_attention_heads, widest); ++n)
    if (heads_fit(config, n)) fitting += text(fitting.empty() ? "" : ", ", n);
  const std::string could = text("; it could be ", fitting);
  if (ranks > widest)
    return text(ranks, " is more than intermediate_size ", config.intermediate_size,
                " or vocab_size ", config.vocab_size, could);
  return text(ranks, " does not divide the heads: num_attention_heads ", config.num_attention_heads,
              ", num_key_value_heads ", config.num_key_value_heads, could);
}

LlamaConfig resolved(LlamaConfig config, int tensor_parallel) {
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
  const std::string problem = tensor_parallel_problem(config, tensor_parallel);
  require(problem.empty(), ExitCode::usage, "tensor_parallel_degree: ", problem);
  return config;
}

LlamaLayer::LlamaLayer(const LlamaConfig& config, DType dtype, TensorParallel& tp)
    : tp_(tp),
      input_layernorm_(config.hidden_size, dtype, config.rms_norm_eps, tp),
      post_attention_layernorm_(config.hidden_size, dtype, config.rms_norm_eps, tp),
      self_attn_(config, dtype, tp),
      mlp_(config, dtype, tp) {}

Tensor LlamaLayer::operator()(const Tensor& x, const RopeTables& tables,
                              const Microbatch& microbatch, bool keep_all) const {
  const auto sublayer = [&](const RmsNorm& norm, const Tensor& input, const auto& f) {
    const Transient normed([this, &norm, input] { return tp_.enter(norm(input)); }, keep_all);
    return add(input, f(normed.value()));
  };
  const Tensor h = sublayer(input_layernorm_, x, [&](const Tensor& normed) {
    return self_attn_(normed, tables, microbatch);
  });
  return sublayer(post_attention_layernorm_, h,
                  [&](const Tensor& normed) { return mlp_(normed, keep_all); });
}

void LlamaLayer::visit(const std::string& name, const ParameterVisitor& visitor) {
  input_layernorm_.visit(name + ".input_layernorm", visitor);
  self_attn_.visit(name + ".self_attn", visitor);
  post_attention_layernorm_.visit(name + ".post_attention_layernorm", visitor);
  mlp_.visit(name + ".mlp", visitor);
}

Llama::Llama(const LlamaConfig& config, std::int64_t max_seq_len, DType dtype, TensorParallel& tp)
    : config_(resolved(config, tp.size())),
      tp_(tp),
      tables_(rope_tables(
          max_seq_len, rope_frequencies(config_.head_dim, config_.rope_theta, config_.rope_scaling),
          accumulator_of(dtype))),
      embed_tokens_(vocabulary_parameter(dtype)),
      norm_(config_.hidden_size, dtype, config_.rms_norm_eps, tp) {
  for (std::int64_t i = 0; i < config_.num_hidden_layers; ++i)
    layers_.emplace_back(config_, dtype, tp);
  if (!config_.tie_word_embeddings) lm_head_ = vocabulary_parameter(dtype);
  visit([](const std::string& name, Parameter& parameter) { parameter.set_name(name); });
  layers_.front().visit("", [this](const std::string& /*name*/, Parameter& parameter) {
    layer_parameters_ += static_cast<double>(parameter.global_shape().numel());
  });
}

Parameter Llama::vocabulary_parameter(DType dtype) const {
  return Parameter({config_.vocab_size, config_.hidden_size}, dtype, {0, config_.initializer_range},
                   tp_.shard(0));
}

Tensor Llama::embed(const Microbatch& microbatch) const {
  return tp_.leave(embedding(embed_tokens_, microbatch.input_ids,
                             shard_begin(config_.vocab_size, tp_.rank(), tp_.size())));
}

Tensor Llama::layer(std::int64_t index, const Tensor& x, const Microbatch& microbatch,
                    bool keep_all) const {
  return layers_[static_cast<std::size_t>(index)](x, tables_, microbatch, keep_all);
}

Tensor Llama::loss(const Tensor& x, const Microbatch& microbatch, double scale) const {
  return linear_cross_entropy(tp_.enter(norm_(x)), head(), microbatch.targets, scale,
                              tp_.vocabulary_part(config_.vocab_size));
}

Tensor Llama::logits(const Tensor& x) const { return linear(tp_.enter(norm_(x)), head()); }

void Llama::visit(const ModelPart& part, const ParameterVisitor& visitor) {
  if (part.embeds) visitor("model.embed_tokens.weight", embed_tokens_);
  for (std::int64_t i = part.first_layer; i < part.end_layer; ++i)
    layers_[static_cast<std::size_t>(i)].visit(text("model.layers.", i), visitor);
  if (!part.ends) return;
  norm_.visit("model.norm", visitor);
  if (!config_.tie_word_embeddings)
    visitor("lm_head.weight", lm_head_);
  else if (lm_head_.defined())
    visitor(embed_tokens_.name(), lm_head_);
  else if (!part.embeds)
    visitor(embed_tokens_.name(), embed_tokens_);
}

void Llama::separate_ends() {
  if (lm_head_.defined()) return;
  Shard shard = tp_.shard(0);
  shard.copy = 1;
  lm_head_ = Parameter(embed_tokens_.global_shape(), embed_tokens_.dtype(), embed_tokens_.initial(),
                       shard);
  lm_head_.set_name(embed_tokens_.name());
}

double Llama::attention_flops(std::int64_t seq_len) const {
  const auto length = static_cast<double>(seq_len);
  const std::int64_t window =
      config_.sliding_window > 0 ? std::min(config_.sliding_window, seq_len) : seq_len;
  const double pairs = double(window) * length - 0.5 * double(window) * double(window);
  return 12 * pairs * double(config_.num_attention_heads * config_.head_dim);
}

double Llama::flops_per_sequence(std::int64_t seq_len) const {
  const double layers = double(config_.num_hidden_layers);
  const double last = double(head().global_shape().numel() + config_.hidden_size);
  return 6 * (layers * layer_parameters_ + last) * double(seq_len) +
         layers * attention_flops(seq_len);
}

Shape Llama::stream_shape(std::int64_t batch, std::int64_t seq_len) const {
  return tp_.stream_shape({batch, seq_len, config_.hidden_size});
}

ChainCosts Llama::chain_costs(std::int64_t seq_len) const {
  const auto length = static_cast<double>(seq_len);
  // A look-up and its gradient move some 20 bytes for each element: as long as it takes a processor
  // that does 10 FLOPs a byte.
  return {.embed = 200 * length * double(config_.hidden_size),
          .layer = 6 * layer_parameters_ * length + attention_flops(seq_len),
          .head = 6 * double(head().global_shape().numel()) * length};
}

}  // namespace boostr
