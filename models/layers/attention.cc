#include "models/layers/attention.h"

#include <algorithm>
#include <cmath>

#include "ops/attention.h"
#include "ops/reshape.h"
#include "ops/rope.h"

namespace boostr {

namespace {

LinearOptions linear_options(const LlamaConfig& config, DType dtype) {
  return {.bias = config.attention_bias, .dtype = dtype, .init_std = config.initializer_range};
}

LinearOptions out_options(const LlamaConfig& config, DType dtype) {
  LinearOptions options = linear_options(config, dtype);
  options.bias = config.attention_bias && config.attention_out_bias;
  return options;
}

}  // namespace

Attention::Attention(const LlamaConfig& config, DType dtype, TensorParallel& tp)
    : head_dim_(config.head_dim),
      window_(config.sliding_window),
      interleaved_(config.rope_interleaved),
      q_proj_(config.hidden_size, config.num_attention_heads * head_dim_,
              linear_options(config, dtype), tp),
      k_proj_(config.hidden_size, config.num_key_value_heads * head_dim_,
              linear_options(config, dtype), tp, kv_pieces(config, tp)),
      v_proj_(config.hidden_size, config.num_key_value_heads * head_dim_,
              linear_options(config, dtype), tp, kv_pieces(config, tp)),
      o_proj_(config.num_attention_heads * head_dim_, config.hidden_size,
              out_options(config, dtype), tp) {
  if (!config.qk_norm) return;
  q_norm_.emplace(head_dim_, dtype, config.rms_norm_eps, tp, RmsNorm::Over::parts);
  k_norm_.emplace(head_dim_, dtype, config.rms_norm_eps, tp, RmsNorm::Over::parts);
}

int Attention::kv_pieces(const LlamaConfig& config, const TensorParallel& tp) {
  return static_cast<int>(std::min<std::int64_t>(config.num_key_value_heads, tp.size()));
}

Tensor Attention::operator()(const Tensor& x, const RopeTables& tables,
                             const Microbatch& microbatch) const {
  const std::int64_t batch = microbatch.input_ids.shape()[0], seq = microbatch.input_ids.shape()[1];
  const auto heads = [&](const Tensor& projected) {
    return reshape(projected, {batch, seq, projected.shape().back() / head_dim_, head_dim_});
  };
  Tensor q = heads(q_proj_(x));
  Tensor k = heads(k_proj_(x));
  const Tensor v = heads(v_proj_(x));
  if (q_norm_) q = (*q_norm_)(q);
  if (k_norm_) k = (*k_norm_)(k);
  q = rope(q, tables.cos, tables.sin, interleaved_);
  k = rope(k, tables.cos, tables.sin, interleaved_);
  const AttentionOptions options{
      .scale = 1.0 / std::sqrt(static_cast<double>(head_dim_)), .causal = true, .window = window_};
  const Tensor mixed = attention(q, k, v, microbatch.documents, options);
  return o_proj_(reshape(mixed, {batch, seq, q.shape()[2] * head_dim_}));
}

void Attention::visit(const std::string& name, const ParameterVisitor& visitor) {
  q_proj_.visit(name + ".q_proj", visitor);
  k_proj_.visit(name + ".k_proj", visitor);
  v_proj_.visit(name + ".v_proj", visitor);
  if (q_norm_) q_norm_->visit(name + ".q_norm", visitor);
  if (k_norm_) k_norm_->visit(name + ".k_norm", visitor);
  o_proj_.visit(name + ".o_proj", visitor);
}

}  // namespace boostr
