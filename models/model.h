#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/model_part.h"
#include "models/recomputation.h"
#include "ops/parameter.h"
#include "ops/tensor.h"

/// Legend: B sequences, S positions, E hidden size, V vocabulary.
namespace boostr {

/// What one forward reads. All i32.
struct Microbatch {
  Tensor input_ids;  ///< [B, S]
  Tensor targets;    ///< [B, S]; negative: no loss there
  Tensor documents;  ///< [B, S] non-decreasing along S, or undefined: attention stays inside a
                     ///< document
};

/// Called with each parameter's global name and the parameter, in order of use in the forward.
using ParameterVisitor = std::function<void(const std::string& name, Parameter& parameter)>;

/// A language model as a chain: embed, then layers, then head. Pipeline stages and recomputation
/// cut it between layers. What flows between them is the residual stream: [B, S, E], or with
/// sequence parallelism this rank's piece of the tokens [B S / ranks, E].
class Model {
 public:
  virtual ~Model() = default;
  virtual std::int64_t num_layers() const = 0;
  /// The beginning of the residual stream.
  virtual Tensor embed(const Microbatch& microbatch) const = 0;
  /// Layer `index` of the residual stream; with `keep_all` it keeps what it could compute again.
  virtual Tensor layer(std::int64_t index, const Tensor& x, const Microbatch& microbatch,
                       bool keep_all) const = 0;
  /// scale * sum of the cross entropies of all targets (f64, one element).
  virtual Tensor loss(const Tensor& x, const Microbatch& microbatch, double scale) const = 0;
  /// [..., V], V the part of the vocabulary that this rank has; for inspection and tests: training
  /// never holds all logits.
  virtual Tensor logits(const Tensor& x) const = 0;
  /// The parameters of a part.
  virtual void visit(const ModelPart& part, const ParameterVisitor& visitor) = 0;
  /// Makes two of a parameter that the embedding and the head share: from now on the head has a
  /// copy of its own, of the same name, with Shard::copy = 1. For chains whose ends run apart, whose
  /// owner keeps the copies equal by giving both the sum of their gradients.
  virtual void separate_ends() = 0;
  /// All parameters.
  void visit(const ParameterVisitor& visitor) { visit(whole(), visitor); }
  /// The part that is all of it.
  ModelPart whole() const { return {true, 0, num_layers(), true}; }
  /// FLOPs of forward and backward on one sequence of `seq_len` tokens: 6 per parameter (without
  /// the input embedding's look-up) and token, and 12 per visible query-key pair, layer and
  /// attention width.
  virtual double flops_per_sequence(std::int64_t seq_len) const = 0;
  /// Of the residual stream of a microbatch of B sequences.
  virtual Shape stream_shape(std::int64_t batch, std::int64_t seq_len) const = 0;
  /// What the links of the chain cost, in such FLOPs.
  virtual ChainCosts chain_costs(std::int64_t seq_len) const = 0;
};

/// Every parameter once, in order of use, named.
std::vector<Parameter> parameters(Model& model);

/// Those of a part, grouped by what is used together: a layer's parameters, or those of one module
/// outside the layers.
std::vector<std::vector<Parameter>> parameter_units(Model& model, const ModelPart& part);
/// Those of the whole model.
std::vector<std::vector<Parameter>> parameter_units(Model& model);

/// The residual stream behind a part's layers. `x` is what comes in from the part before; nothing
/// for a part that embeds.
Tensor forward_part(const Model& model, const ModelPart& part, const Tensor& x,
                    const Microbatch& microbatch, const Recomputation& recomputation = {});

/// The whole model on one microbatch: `model.loss` of embed and all layers.
Tensor forward_loss(const Model& model, const Microbatch& microbatch, double scale,
                    const Recomputation& recomputation = {});
/// Likewise `model.logits`.
Tensor forward_logits(const Model& model, const Microbatch& microbatch);

/// values (1-D) = the initial elements begin, begin + 1, ... of `parameter`'s local part: a function
/// of (seed, name, global index) alone, the same on every mesh and machine.
void initialize(const Tensor& values, const Parameter& parameter, std::int64_t begin,
                std::uint64_t seed);

}  // namespace boostr
