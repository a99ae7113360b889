#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ops/autograd.h"
#include "ops/parameter.h"

namespace boostr {

/// What a recomputed segment's backward returns: the gradient of its input and the weight work left
/// to do.
struct SegmentGrads {
  Tensor dx;
  WeightGrads later;
};

/// One recorded op, or a leaf. Internal to autograd.
class Node {
 public:
  explicit Node(std::string op, bool weight_side) : op(std::move(op)), weight_side(weight_side) {}

  const std::uint64_t sequence =
      next_sequence();  ///< inputs have smaller numbers than what was computed from them
  std::string op;
  bool weight_side;
  bool consumed = false;  ///< a backward ran through this node
  Shape shape;            ///< of the output, for checking dy
  std::vector<Edge> edges;
  std::shared_ptr<Leaf> leaf;  ///< set for parameters
  Tensor pending;              ///< gradient received so far
  /// Set for recomputed segments instead of edges: runs the segment again and differentiates it.
  std::function<SegmentGrads(const Tensor& dy)> segment;
  std::shared_ptr<Node> segment_input;

 private:
  static std::uint64_t next_sequence() {
    static std::atomic<std::uint64_t> counter{0};
    return ++counter;
  }
};

/// The thread's recording state; `promised` collects the parameter uses of a segment that will be
/// recomputed.
struct RecordingState {
  bool enabled = true;
  std::vector<PendingUse>* promised = nullptr;
};
RecordingState& recording_state();

}  // namespace boostr
