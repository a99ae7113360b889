#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "ops/linear_cross_entropy.h"
#include "ops/parameter.h"
#include "parallel/comm/communicator.h"

namespace boostr {

/// One rank's part in tensor parallelism (arXiv 1909.08053): layers are cut over the ranks of a
/// group, between enter() and leave(); outside, every rank holds the whole residual stream, or with
/// sequence parallelism (arXiv 2205.05198) its piece of the tokens. All functions are
/// differentiable; in a group of one they return their argument.
///
/// T tokens, E hidden size. A residual stream that is cut has the shape [T / size, E]: the tokens
/// of all sequences one behind another, cut evenly.
class TensorParallel {
 public:
  /// Collective. `group` must outlive it and the graphs made with it.
  explicit TensorParallel(Communicator& group, bool sequence_parallel = false);

  int rank() const { return group_.rank(); }
  int size() const { return group_.size(); }

  /// The shape of this rank's residual stream, where `whole` [B, S, E] is that of all tokens.
  Shape stream_shape(const Shape& whole) const;
  /// From the residual stream to layers that are cut: all tokens [T, E]; its gradients are added
  /// over the ranks. Error(usage) unless the tokens can be cut evenly.
  Tensor enter(const Tensor& x) const;
  /// From what each rank's part of a layer contributes to every token, [..., E], to the residual
  /// stream: the sum over the ranks.
  Tensor leave(const Tensor& partial) const;
  /// A parameter that every rank holds whole and uses on all tokens of the residual stream or, with
  /// sequence parallelism, on its own, whose gradients are then added.
  Tensor on_stream(const Tensor& parameter) const;
  /// A parameter that every rank holds whole and uses in its part of a layer: the gradients of the
  /// parts are added.
  Tensor in_parts(const Tensor& parameter) const;

  /// Cut in `size` pieces along `axis`, one for each rank.
  Shard shard(int axis) const { return {axis, rank(), size(), 0}; }
  /// Held whole by every rank.
  Shard whole() const { return {0, 0, 1, rank()}; }
  /// Cut in `pieces` along axis 0; where there are fewer pieces than ranks, consecutive ranks hold
  /// the same. One of `pieces` and size() divides the other.
  Shard shard_of(int pieces) const;
  /// The piece of shard_of(pieces), whose gradients are added over the ranks that hold it. Prepared
  /// by prepare_copies().
  Tensor among_copies(const Tensor& parameter, int pieces) const;
  /// Collective: makes the groups of ranks that hold the same of `pieces`.
  void prepare_copies(int pieces);

  /// The part of a vocabulary of `classes`, cut by shard(0), that this rank has.
  VocabularyPart vocabulary_part(std::int64_t classes) const;

 private:
  Communicator& group_;
  bool sequence_parallel_;
  std::map<int, std::unique_ptr<Communicator>> copies_;  ///< by the number of pieces
};

}  // namespace boostr
