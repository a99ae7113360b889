#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ops/autograd.h"
#include "ops/parameter.h"

namespace boostr {

/// The memory of a parameter's gradient, made on first use.
const Tensor& grad_memory(Leaf& leaf);

/// A tensor's bytes as they were when an op was recorded. Does not keep them alive: bytes that
/// nothing holds any more cannot change what a gradient reads.
struct ReadBytes {
  std::weak_ptr<Storage> storage;
  std::uint64_t version = 0;
};

/// An edge in the graph: it leads to nodes and does not keep the inputs' bytes, unless its function
/// captured them.
struct RecordedEdge {
  std::vector<std::shared_ptr<Node>> inputs;  ///< null where no gradient is needed
  std::variant<GradOf, GradInto> compute;
  bool leads_to_weights() const;
};

/// A recomputed stretch of the graph.
struct Segment {
  /// Runs the function again, recording, and returns its output.
  std::function<Tensor()> replay;
  /// The nodes that replay's edges will lead to, one per use.
  std::vector<std::shared_ptr<Node>> inputs;
};

/// One recorded op, or a leaf. Internal to autograd.
class Node {
 public:
  Node(std::string op, const Tensor& output, bool weight_side);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  /// Takes long chains apart without recursion.
  ~Node();

  /// Inputs have smaller numbers than what was computed from them.
  const std::uint64_t sequence = next_sequence();
  const std::string op;
  const bool weight_side;
  const Shape shape;       ///< of the output
  const DType grad_dtype;  ///< of the gradient of the output
  const Device device;
  bool is_input = false;             ///< a leaf that keeps its gradient in `pending`
  bool consumed = false;             ///< a backward ran through this node
  Tensor pending;                    ///< gradient received so far
  std::vector<RecordedEdge> edges;   ///< empty for leaves
  std::vector<ReadBytes> reads;      ///< what the edges read
  std::shared_ptr<Leaf> leaf;        ///< set for parameters
  std::unique_ptr<Segment> segment;  ///< set instead of edges

 private:
  static std::uint64_t next_sequence();
};

/// What record() does in the calling thread.
enum class Recording : std::uint8_t {
  on,
  off,
  /// Records nothing, but notes the uses of leaves and of values from outside: a segment that will
  /// be recomputed runs for the first time.
  noting_uses,
};

struct RecordingState {
  Recording mode = Recording::on;
  std::vector<std::shared_ptr<Node>>* noted = nullptr;
};
RecordingState& recording_state();

/// Replaces the thread's recording state while it lives.
class ScopedRecording {
 public:
  explicit ScopedRecording(RecordingState state)
      : before_(std::exchange(recording_state(), state)) {}
  ~ScopedRecording() { recording_state() = before_; }
  ScopedRecording(const ScopedRecording&) = delete;
  ScopedRecording& operator=(const ScopedRecording&) = delete;

 private:
  RecordingState before_;
};

}  // namespace boostr
