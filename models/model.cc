#include "models/model.h"

#include <algorithm>
#include <memory>

#include "ops/autograd.h"
#include "ops/copy.h"
#include "ops/random.h"
#include "ops/row_blocks.h"

namespace boostr {

namespace {

std::vector<Parameter> parameters_of(Model& model, const ModelPart& part) {
  std::vector<Parameter> all;
  model.visit(part, [&](const std::string& /*name*/, Parameter& parameter) {
    if (std::ranges::find(all, parameter) == all.end()) all.push_back(parameter);
  });
  return all;
}

/// "model.layers.3.mlp.up_proj.weight" -> "model.layers.3"; without a number, the module's name.
std::string unit_of(const std::string& name) {
  const std::size_t number = name.find_first_of("0123456789");
  if (number != std::string::npos && number > 0 && name[number - 1] == '.')
    return name.substr(0, name.find('.', number));
  return name.substr(0, name.rfind('.'));
}

}  // namespace

std::vector<Parameter> parameters(Model& model) { return parameters_of(model, model.whole()); }

std::vector<std::vector<Parameter>> parameter_units(Model& model) {
  return parameter_units(model, model.whole());
}

std::vector<std::vector<Parameter>> parameter_units(Model& model, const ModelPart& part) {
  std::vector<std::vector<Parameter>> units;
  std::string last;
  for (const Parameter& parameter : parameters_of(model, part)) {
    const std::string unit = unit_of(parameter.name());
    if (units.empty() || unit != last) units.emplace_back();
    units.back().push_back(parameter);
    last = unit;
  }
  return units;
}

Tensor forward_part(const Model& model, const ModelPart& part, const Tensor& x,
                    const Microbatch& microbatch, const Recomputation& recomputation) {
  Tensor stream = part.embeds ? model.embed(microbatch) : x;
  for (std::int64_t i = part.first_layer; i < part.end_layer; ++i) {
    const ActivationCheckpoint mode = recomputation.of_layer(i);
    const bool keep_all = mode != ActivationCheckpoint::selective;
    const auto layer = [&model, i, microbatch, keep_all](const Tensor& input) {
      return model.layer(i, input, microbatch, keep_all);
    };
    stream = mode == ActivationCheckpoint::full ? recompute(layer, stream) : layer(stream);
  }
  return stream;
}

namespace {

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
                    const Recomputation& recomputation) {
  return model.loss(forward_part(model, model.whole(), {}, microbatch, recomputation), microbatch,
                    scale);
}

Tensor forward_logits(const Model& model, const Microbatch& microbatch) {
  return model.logits(forward_part(model, model.whole(), {}, microbatch));
}

void initialize(const Tensor& values, const Parameter& parameter, std::int64_t begin,
                std::uint64_t seed) {
  const Initial& initial = parameter.initial();
  if (initial.std == 0) return fill(values, initial.mean);
  const RandomKey key{seed, hash_of(parameter.name())};
  const GlobalIndex index = global_index(parameter);
  const std::int64_t width = index.row_stride == 0 ? parameter.numel() : parameter.shape().back();
  for_each_row_block(begin, values.numel(), width, [&](const RowBlock& block) {
    fill_normal(values.rows(block.at, block.rows * block.columns).view({block.rows, block.columns}),
                key, {index.first + block.row * index.row_stride + block.column, index.row_stride},
                initial.mean, initial.std);
  });
}

}  // namespace boostr
