#include "ops/autograd.h"

#include <algorithm>
#include <utility>

#include "ops/node.h"

namespace boostr {

RecordingState& recording_state() {
  thread_local RecordingState state;
  return state;
}

NoGrad::NoGrad() : before_(std::exchange(recording_state().mode, Recording::off)) {}
NoGrad::~NoGrad() { recording_state().mode = before_; }

bool grad_enabled() { return recording_state().mode == Recording::on; }

bool needs_grad(std::initializer_list<Tensor> inputs) {
  return grad_enabled() &&
         std::ranges::any_of(inputs, [](const Tensor& input) { return input.node() != nullptr; });
}

DType gradient_dtype(const Tensor& value) {
  const bool weight_side = value.node() && value.node()->weight_side;
  return weight_side ? accumulator_of(value.dtype()) : value.dtype();
}

Node::Node(std::string op, const Tensor& output, bool weight_side)
    : op(std::move(op)),
      weight_side(weight_side),
      shape(output.shape()),
      grad_dtype(weight_side ? accumulator_of(output.dtype()) : output.dtype()),
      device(output.device()) {}

bool RecordedEdge::leads_to_weights() const {
  return inputs.front() && inputs.front()->weight_side;
}

std::uint64_t Node::next_sequence() {
  static std::atomic<std::uint64_t> counter{0};
  return ++counter;
}

namespace {

/// What a dying node leaves to be destroyed, closures included: they hold older nodes.
struct Remains {
  std::vector<RecordedEdge> edges;
  std::unique_ptr<Segment> segment;
};

}  // namespace

Node::~Node() {
  if (edges.empty() && !segment) return;
  thread_local std::vector<Remains>* dying = nullptr;
  Remains mine{std::move(edges), std::move(segment)};
  if (dying != nullptr) {
    dying->push_back(std::move(mine));
    return;
  }
  std::vector<Remains> todo;
  todo.push_back(std::move(mine));
  dying = &todo;
  while (!todo.empty()) {
    // Destroyed outside the list, which the nodes that die with it append to.
    const Remains next = std::move(todo.back());
    todo.pop_back();
  }
  dying = nullptr;
}

namespace {

bool leads_nowhere(const Edge& edge) {
  return std::ranges::none_of(edge.inputs, [](const Tensor& input) { return input.defined(); });
}

bool any_needs_grad(const Edge& edge) {
  return std::ranges::any_of(edge.inputs,
                             [](const Tensor& input) { return input.node() != nullptr; });
}

RecordedEdge recorded(std::string_view op, Edge edge) {
  RecordedEdge result{{}, std::move(edge.compute)};
  std::ptrdiff_t weights = 0;
  for (const Tensor& input : edge.inputs) {
    result.inputs.push_back(input.node());
    if (input.node() && input.node()->weight_side) ++weights;
  }
  expect(weights == 0 || weights == std::ssize(edge.inputs), op,
         ": one edge mixes weights with data");
  return result;
}

void note_uses(const std::vector<Edge>& edges, std::vector<std::shared_ptr<Node>>& noted) {
  for (const Edge& edge : edges)
    for (const Tensor& input : edge.inputs)
      if (input.node()) noted.push_back(input.node());
}

void note_read(const Tensor& tensor, std::vector<ReadBytes>& reads) {
  if (tensor.defined()) reads.push_back({tensor.storage(), tensor.storage()->version});
}

}  // namespace

Tensor record(std::string_view op, const Tensor& y, std::vector<Edge> edges, Side side,
              const std::vector<Tensor>& also_read) {
  RecordingState& state = recording_state();
  if (state.mode == Recording::noting_uses) note_uses(edges, *state.noted);
  if (state.mode != Recording::on || std::ranges::none_of(edges, any_needs_grad)) return y;
  std::vector<ReadBytes> reads;
  for (const Edge& edge : edges)
    for (const Tensor& input : edge.inputs) note_read(input, reads);
  for (const Tensor& tensor : also_read) note_read(tensor, reads);

  std::erase_if(edges, leads_nowhere);  // an optional input that was not given
  std::vector<RecordedEdge> kept;
  // An input that is given but has no node is data: it makes the output data-side, too.
  bool weight_side = side == Side::derived;
  for (Edge& edge : edges) {
    const bool needed = any_needs_grad(edge);
    RecordedEdge next = recorded(op, std::move(edge));
    if (!next.leads_to_weights()) weight_side = false;
    if (needed) kept.push_back(std::move(next));
  }
  auto node = std::make_shared<Node>(std::string(op), y, weight_side);
  node->edges = std::move(kept);
  node->reads = std::move(reads);
  return y.with_node(std::move(node));
}

Tensor input_leaf(const Tensor& value) {
  auto node = std::make_shared<Node>("input", value, false);
  node->is_input = true;
  return value.with_node(std::move(node));
}

Tensor gradient_of(const Tensor& leaf) {
  expect(leaf.node() != nullptr && leaf.node()->is_input,
         "gradient_of: the tensor was not made by input_leaf");
  return leaf.node()->pending;
}

}  // namespace boostr
