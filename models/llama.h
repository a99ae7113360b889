#pragma once

#include <vector>

#include "models/layers/attention.h"
#include "models/layers/feed_forward.h"
#include "models/model.h"

namespace boostr {

/// One decoder layer: h = x + attention(norm(x)); h + mlp(norm(h)).
class LlamaLayer {
 public:
  LlamaLayer(const LlamaConfig& config, DType dtype, TensorParallel& tp);

  /// With `keep_all` the outputs of norms and the activation are kept for the backward, not
  /// computed again.
  Tensor operator()(const Tensor& x, const RopeTables& tables, const Microbatch& microbatch,
                    bool keep_all) const;

  void visit(const std::string& name, const ParameterVisitor& visitor);

 private:
  const TensorParallel& tp_;
  RmsNorm input_layernorm_, post_attention_layernorm_;
  Attention self_attn_;
  FeedForward mlp_;
};

/// Why the model cannot be cut over `ranks` tensor-parallel ranks, and what would fit; empty if it
/// can. Key-value heads must be known.
std::string tensor_parallel_problem(const LlamaConfig& config, int ranks);

/// The LLaMA family (arXiv 2302.13971, 2407.21783): LLaMA 1 to 3, Mistral, Qwen2 and Qwen3 by
/// configuration. Parameters carry their Hugging Face names.
class Llama : public Model {
 public:
  /// `max_seq_len` positions of rotary tables; parameters in `dtype`, uninitialised, cut over the
  /// ranks of `tp`, which must outlive it. Collective over them; Error(usage) if they cannot be cut.
  Llama(const LlamaConfig& config, std::int64_t max_seq_len, DType dtype, TensorParallel& tp);

  std::int64_t num_layers() const override { return config_.num_hidden_layers; }
  Tensor embed(const Microbatch& microbatch) const override;
  Tensor layer(std::int64_t index, const Tensor& x, const Microbatch& microbatch,
               bool keep_all) const override;
  Tensor loss(const Tensor& x, const Microbatch& microbatch, double scale) const override;
  Tensor logits(const Tensor& x) const override;
  using Model::visit;
  void visit(const ModelPart& part, const ParameterVisitor& visitor) override;
  void separate_ends() override;
  double flops_per_sequence(std::int64_t seq_len) const override;
  Shape stream_shape(std::int64_t batch, std::int64_t seq_len) const override;
  ChainCosts chain_costs(std::int64_t seq_len) const override;

 private:
  /// [V, E], cut by classes.
  Parameter vocabulary_parameter(DType dtype) const;
  const Parameter& head() const { return lm_head_.defined() ? lm_head_ : embed_tokens_; }
  /// 12 per visible pair of a query and a key and unit of attention width, of one layer.
  double attention_flops(std::int64_t seq_len) const;

  LlamaConfig config_;
  const TensorParallel& tp_;
  RopeTables tables_;
  Parameter embed_tokens_;
  std::vector<LlamaLayer> layers_;
  RmsNorm norm_;
  Parameter lm_head_;            ///< absent when the embeddings are tied, until they are separated
  double layer_parameters_ = 0;  ///< of one
};

/// `config` with inferred values (0) filled in; Error(usage) where they do not fit together, or
/// cannot be cut over `tensor_parallel` ranks: it says which numbers could.
LlamaConfig resolved(LlamaConfig config, int tensor_parallel = 1);

}  // namespace boostr
