#pragma once

#include <cstdint>
#include <string>

namespace boostr {

/// How RoPE frequencies are stretched beyond the context the model was trained with; the keys of
/// Hugging Face's `rope_scaling`.
struct RopeScaling {
  std::string rope_type = "none";  ///< none | linear | llama3 | yarn
  double factor = 1.0;
  double low_freq_factor = 1.0;                          ///< llama3
  double high_freq_factor = 4.0;                         ///< llama3
  std::int64_t original_max_position_embeddings = 8192;  ///< llama3, yarn
  double beta_fast = 32.0;                               ///< yarn
  double beta_slow = 1.0;                                ///< yarn
  double attention_factor = 0.0;                         ///< yarn; 0: 0.1 ln(factor) + 1
  friend bool operator==(const RopeScaling&, const RopeScaling&) = default;
};

/// The LLaMA family's hyperparameters under their Hugging Face config.json names.
struct LlamaConfig {
  std::int64_t vocab_size = 32000;
  std::int64_t hidden_size = 4096;
  std::int64_t num_hidden_layers = 32;
  std::int64_t num_attention_heads = 32;
  std::int64_t num_key_value_heads = 0;  ///< 0: num_attention_heads
  std::int64_t head_dim = 0;             ///< 0: hidden_size / num_attention_heads
  std::int64_t intermediate_size = 11008;
  std::string hidden_act = "silu";  ///< silu | gelu | gelu_pytorch_tanh
  double rms_norm_eps = 1e-5;
  double rope_theta = 10000.0;
  bool rope_interleaved = false;  ///< pairs (2i, 2i+1) instead of split halves
  RopeScaling rope_scaling;
  bool tie_word_embeddings = false;
  bool attention_bias = false;     ///< biases on q, k, v and o
  bool attention_out_bias = true;  ///< with attention_bias: also on o (Qwen2 has none there)
  bool mlp_bias = false;
  bool qk_norm = false;             ///< RMSNorm of every query and key head (Qwen3)
  std::int64_t sliding_window = 0;  ///< keys further back are hidden; 0: no window
  double initializer_range = 0.02;  ///< standard deviation of the initial weights
  friend bool operator==(const LlamaConfig&, const LlamaConfig&) = default;
};

}  // namespace boostr
