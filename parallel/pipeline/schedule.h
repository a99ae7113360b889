#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace boostr {

/// What a rank does at a time. A backward is both of its halves at once: the gradient of the input
/// (B), which the stage before waits for, and those of the weights (W), which nobody waits for.
enum class PassKind : std::uint8_t { forward, backward, backward_input, backward_weight };

/// "F", "BW", "B", "W".
std::string_view name(PassKind kind);

/// Whether the pass makes the gradient of its stage's input.
constexpr bool makes_input_gradient(PassKind kind) {
  return kind == PassKind::backward || kind == PassKind::backward_input;
}

/// Whether the pass makes the gradients of the weights, after which nothing of the microbatch is
/// kept.
constexpr bool makes_weight_gradients(PassKind kind) {
  return kind == PassKind::backward || kind == PassKind::backward_weight;
}

/// One microbatch through one chunk of a rank's layers.
struct Pass {
  PassKind kind = PassKind::forward;
  int microbatch = 0;
  int chunk = 0;
  friend bool operator==(const Pass&, const Pass&) = default;
};

/// "F3", or "F3.1" where ranks hold more than one chunk.
std::string name(const Pass& pass, int chunks);

/// The model is cut into stages * chunks virtual stages, of which every rank holds `chunks`.
struct PipelineShape {
  int stages = 1;  ///< ranks
  int microbatches = 1;
  int chunks = 1;
  int virtual_stages() const { return stages * chunks; }
  friend bool operator==(const PipelineShape&, const PipelineShape&) = default;
};

/// Which rank holds which virtual stage.
enum class Placement : std::uint8_t {
  looped,   ///< chunk c of rank r is virtual stage c * stages + r
  v_shaped  ///< odd chunks run through the ranks in reverse, so that rank 0 holds both ends of two
};

/// Where a virtual stage lives.
struct StagePlace {
  int rank = 0;
  int chunk = 0;
  friend bool operator==(const StagePlace&, const StagePlace&) = default;
};

/// What every rank does in one step, in order. The rest follows from it: a pass starts when the
/// rank's pass before it has ended and its input is there, and sends its output on as soon as it
/// ends. Gradients are added up in the order of the passes that make them.
struct Schedule {
  PipelineShape shape;
  Placement placement = Placement::looped;
  std::vector<std::vector<Pass>> passes = {};  ///< by rank

  int virtual_stage(int rank, int chunk) const;
  StagePlace place(int virtual_stage) const;
  /// Where a forward's activations or a backward's gradient come from; nothing for the first
  /// forward, the last backward and weight gradients. On the same rank there is nothing to send.
  std::optional<StagePlace> source(int rank, const Pass& pass) const;
  /// Where the output of a pass goes: the inverse of source.
  std::optional<StagePlace> destination(int rank, const Pass& pass) const;
  friend bool operator==(const Schedule&, const Schedule&) = default;
};

/// Whether gradients of weights are passes of their own in it.
bool splits_backward(const Schedule& schedule);

}  // namespace boostr
