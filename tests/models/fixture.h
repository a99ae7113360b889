#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/llama_config.h"
#include "ops/tensor.h"

namespace boostr::testing {

/// What tests/reference/make_fixtures.py wrote about one variant: everything f64.
struct Fixture {
  LlamaConfig config;
  Tensor input_ids, targets;  ///< i32 [B, S]
  Tensor logits;              ///< [B, S, V]
  double loss = 0;            ///< mean over targets
  std::map<std::string, Tensor> parameters, gradients, updated;
  std::vector<double> losses, grad_norms;  ///< of the AdamW steps
  double lr = 0, beta1 = 0, beta2 = 0, eps = 0, weight_decay = 0, max_norm = 0;
};

Fixture read_fixture(const std::string& path);

/// Paths of all fixtures, sorted.
std::vector<std::string> fixture_paths();

}  // namespace boostr::testing
