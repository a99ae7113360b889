#pragma once

#include <memory>
#include <string>

#include "models/llama_config.h"
#include "models/model.h"
#include "parallel/tensor_parallel.h"

namespace boostr {

/// Which model, and its hyperparameters. `type` chooses which of the configurations is read.
struct ModelConfig {
  std::string type = "llama";
  LlamaConfig llama;
  friend bool operator==(const ModelConfig&, const ModelConfig&) = default;
};

/// Why the model cannot be cut over `ranks` tensor-parallel ranks, and what would fit; empty if it
/// can.
std::string tensor_parallel_problem(const ModelConfig& config, int ranks);

/// The model that `config` describes, for sequences of up to `max_seq_len` tokens, parameters in
/// `dtype`, named, uninitialised and cut over the ranks of `tp`, which must outlive it. Collective
/// over them. Error(usage) for an unknown type or hyperparameters that do not fit together.
std::unique_ptr<Model> build_model(const ModelConfig& config, std::int64_t max_seq_len, DType dtype,
                                   TensorParallel& tp);

}  // namespace boostr
