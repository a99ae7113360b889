#include "models/layers/attention.h"

#include <cmath>

#include "ops/attention.h"
#include "ops/reshape.h"
#include "ops/rope.h"

namespace boostr {

Attention::Attention(const LlamaConfig& config, DType dtype)
    : num_heads_(config.num_attention_heads),
      num_kv_heads_(config.num_key_value_heads),
      head_dim_(config.head_dim),
      window_(config.sliding_window),
      interleaved_(config.rope_interleaved),
      q_proj_(config.hidden_size, num_heads_ * head_dim_, config.attention_bias, dtype,
              config.initializer_range),
      k_proj_(config.hidden_size, num_kv_heads_ * head_dim_, config.attention_bias, dtype,
              config.initializer_range),
      v_proj_(config.hidden_size, num_kv_heads_ * head_dim_, config.attention_bias, dtype,
              config.initializer_range),
      o_proj_(num_heads_ * head_dim_, config.hidden_size,
              config.attention_bias && config.attention_out_bias, dtype, config.initializer_range) {
  if (!config.qk_norm) return;
  q_norm_.emplace(head_dim_, dtype, config.rms_norm_eps);
  k_norm_.emplace(head_dim_, dtype, config.rms_norm_eps);
}

Tensor Attention::operator()(const Tensor& x, const RopeTables& tables,
                             const Tensor& documents) const {
  const std::int64_t batch = x.shape()[0], seq = x.shape()[1];
  Tensor q = reshape(q_proj_(x), {batch, seq, num_heads_, head_dim_});
  Tensor k = reshape(k_proj_(x), {batch, seq, num_kv_heads_, head_dim_});
  const Tensor v = reshape(v_proj_(x), {batch, seq, num_kv_heads_, head_dim_});
  if (q_norm_) q = (*q_norm_)(q);
  if (k_norm_) k = (*k_norm_)(k);
  q = rope(q, tables.cos, tables.sin, interleaved_);
  k = rope(k, tables.cos, tables.sin, interleaved_);
  const AttentionOptions options{
      .scale = 1.0 / std::sqrt(static_cast<double>(head_dim_)), .causal = true, .window = window_};
  const Tensor mixed = attention(q, k, v, documents, options);
  return o_proj_(reshape(mixed, {batch, seq, num_heads_ * head_dim_}));
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
