#pragma once

#include "models/config_field.h"
#include "models/llama_config.h"

namespace boostr {

inline constexpr double max_model_size = 1 << 24;  ///< no dimension of a model is larger

template <FieldsOf<RopeScaling> C>
void fields(C& c, auto&& field) {
  field({.key = "rope_type",
         .doc = "how rotary frequencies are stretched beyond the trained context",
         .choices = {"none", "linear", "llama3", "yarn"}},
        c.rope_type);
  const bool scaled = c.rope_type != "none";  // known from here on
  const bool llama3 = c.rope_type == "llama3", yarn = c.rope_type == "yarn";
  field({.key = "factor",
         .doc = "context length relative to the trained one",
         .range = at_least(1),
         .applies = scaled,
         .applies_if = "rope_type is not none"},
        c.factor);
  field({.key = "low_freq_factor",
         .doc = "wavelengths above original context / this are scaled fully",
         .range = above(0),
         .applies = llama3,
         .applies_if = "rope_type is llama3"},
        c.low_freq_factor);
  field({.key = "high_freq_factor",
         .doc = "wavelengths below original context / this are not scaled",
         .range = above(0),
         .applies = llama3,
         .applies_if = "rope_type is llama3"},
        c.high_freq_factor);
  field({.key = "original_max_position_embeddings",
         .doc = "context length that the model was trained with",
         .range = at_least(1),
         .applies = llama3 || yarn,
         .applies_if = "rope_type is llama3 or yarn"},
        c.original_max_position_embeddings);
  field({.key = "beta_fast",
         .doc = "rotations over the trained context above which nothing is interpolated",
         .range = above(0),
         .applies = yarn,
         .applies_if = "rope_type is yarn"},
        c.beta_fast);
  field({.key = "beta_slow",
         .doc = "rotations over the trained context below which everything is interpolated",
         .range = above(0),
         .applies = yarn,
         .applies_if = "rope_type is yarn"},
        c.beta_slow);
  field({.key = "attention_factor",
         .doc = "what cosines and sines are multiplied by",
         .range = above(0),
         .infers = "0.1 ln(factor) + 1",
         .applies = yarn,
         .applies_if = "rope_type is yarn"},
        c.attention_factor);
}

/// The sizes of a LLaMA model.
void llama_size_fields(auto& c, auto&& field) {
  const Range size = between(1, max_model_size);
  field({.key = "vocab_size",
         .doc = "rows of the embedding; may exceed the tokenizer's vocabulary",
         .range = between(1, 2147483647),
         .required = true},
        c.vocab_size);
  field({.key = "hidden_size",
         .doc = "width of the residual stream",
         .range = size,
         .required = true},
        c.hidden_size);
  field({.key = "num_hidden_layers",
         .doc = "transformer blocks",
         .range = between(1, 100000),
         .required = true},
        c.num_hidden_layers);
  field({.key = "num_attention_heads",
         .doc = "query heads per block",
         .range = size,
         .required = true},
        c.num_attention_heads);
  field({.key = "num_key_value_heads",
         .doc = "key and value heads per block; fewer than query heads is GQA, one is MQA",
         .range = size,
         .infers = "num_attention_heads"},
        c.num_key_value_heads);
  field({.key = "head_dim",
         .doc = "width of one head; even, as RoPE rotates pairs",
         .range = size,
         .infers = "hidden_size / num_attention_heads"},
        c.head_dim);
  field({.key = "intermediate_size",
         .doc = "width inside the feed-forward block",
         .range = size,
         .required = true},
        c.intermediate_size);
}

template <FieldsOf<LlamaConfig> C>
void fields(C& c, auto&& field) {
  llama_size_fields(c, field);
  field({.key = "hidden_act",
         .doc = "activation of the gated feed-forward block; silu makes SwiGLU",
         .choices = {"silu", "gelu", "gelu_pytorch_tanh"}},
        c.hidden_act);
  field({.key = "rms_norm_eps", .doc = "added to the mean square in RMSNorm", .range = above(0)},
        c.rms_norm_eps);
  field({.key = "rope_theta", .doc = "base of the rotary frequencies", .range = above(0)},
        c.rope_theta);
  field({.key = "rope_interleaved", .doc = "rotate pairs (2i, 2i+1) instead of split halves"},
        c.rope_interleaved);
  field({.key = "rope_scaling", .doc = "stretching of the rotary frequencies"}, c.rope_scaling);
  field({.key = "tie_word_embeddings", .doc = "the head shares the embedding's weights"},
        c.tie_word_embeddings);
  field({.key = "attention_bias", .doc = "biases on the q, k, v and o projections"},
        c.attention_bias);
  field({.key = "attention_out_bias",
         .doc = "also on the o projection (Qwen2 has none there)",
         .applies = c.attention_bias,
         .applies_if = "attention_bias is true"},
        c.attention_out_bias);
  field({.key = "mlp_bias", .doc = "biases in the feed-forward block"}, c.mlp_bias);
  field({.key = "qk_norm", .doc = "RMSNorm of every query and key head (Qwen3)"}, c.qk_norm);
  field({.key = "sliding_window",
         .doc = "a token sees this many keys, itself included; 0: all before it",
         .range = between(0, 2147483647)},
        c.sliding_window);
  field({.key = "initializer_range",
         .doc = "standard deviation of the initial weights",
         .range = at_least(0)},
        c.initializer_range);
}

}  // namespace boostr
