#include "models/model.h"

#include <algorithm>
#include <memory>

#include "ops/autograd.h"
#include "ops/copy.h"
#include "ops/random.h"

namespace boostr {

std::vector<Parameter> parameters(Model& model) {
  std::vector<Parameter> all;
  model.visit([&](const std::string& /*name*/, Parameter& parameter) {
    if (std::ranges::find(all, parameter) == all.end()) all.push_back(parameter);
  });
  return all;
}

namespace {

Tensor forward_layers(const Model& model, const Microbatch& microbatch, ActivationCheckpoint mode) {
  Tensor x = model.embed(microbatch);
  for (std::int64_t i = 0; i < model.num_layers(); ++i) {
    const auto layer = [&model, i, microbatch](const Tensor& input) {
      return model.layer(i, input, microbatch);
    };
    x = mode == ActivationCheckpoint::full ? recompute(layer, x) : layer(x);
  }
  return x;
}

/// FNV-1a: names to random streams.
std::uint64_t hash_of(const std::string& name) {
  std::uint64_t hash = 14695981039346656037ull;
  for (const unsigned char c : name) hash = (hash ^ c) * 1099511628211ull;
  return hash;
}

/// Where the local part lies in the global tensor, seen as rows of its last dimension.
GlobalIndex global_index(const Parameter& parameter) {
  const Shape& global = parameter.global_shape();
  const Shard& shard = parameter.shard();
  if (shard.count == 1) return {};
  const std::int64_t begin = shard_begin(global[shard.axis], shard.index, shard.count);
  if (shard.axis == global.num_dims() - 1) return {begin, global.back()};
  expect(shard.axis == 0, "parameter '", parameter.name(), "' is cut along an inner axis");
  return {begin * (global.numel() / global[0]), 0};
}

}  // namespace

Tensor forward_loss(const Model& model, const Microbatch& microbatch, double scale,
                    ActivationCheckpoint mode) {
  return model.loss(forward_layers(model, microbatch, mode), microbatch, scale);
}

Tensor forward_logits(const Model& model, const Microbatch& microbatch) {
  return model.logits(forward_layers(model, microbatch, ActivationCheckpoint::none));
}

Tensor initial_value(const Parameter& parameter, std::uint64_t seed) {
  const Initial& initial = parameter.initial();
  const Tensor value = Tensor::empty(parameter.shape(), accumulator_of(parameter.dtype()));
  if (initial.std == 0)
    fill(value, initial.mean);
  else
    fill_normal(value, RandomKey{seed, hash_of(parameter.name())}, global_index(parameter),
                initial.mean, initial.std);
  return value;
}

}  // namespace boostr
