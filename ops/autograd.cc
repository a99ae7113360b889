#include "ops/autograd.h"

#include <algorithm>
#include <utility>

#include "ops/node.h"

namespace boostr {

RecordingState& recording_state() {
  thread_local RecordingState state;
  return state;
}

NoGrad::NoGrad() : before_(std::exchange(recording_state().enabled, false)) {}
NoGrad::~NoGrad() { recording_state().enabled = before_; }
bool grad_enabled() { return recording_state().enabled; }

PendingUse::PendingUse(std::shared_ptr<Leaf> leaf) : leaf_(std::move(leaf)) {
  ++leaf_->pending_uses;
}
PendingUse::~PendingUse() {
  if (leaf_) --leaf_->pending_uses;
}

namespace {

bool needs_grad(const Edge& edge) {
  return std::ranges::any_of(edge.inputs,
                             [](const Tensor& input) { return input.node() != nullptr; });
}

/// Whether the edge leads to weight-side inputs; Error if it mixes the sides.
bool is_weight_edge(std::string_view op, const Edge& edge) {
  const auto weight = [](const Tensor& input) { return input.node() && input.node()->weight_side; };
  const bool any = std::ranges::any_of(edge.inputs, weight);
  expect(!any || std::ranges::all_of(edge.inputs, weight), op,
         ": one edge mixes weights with data");
  return any;
}

void promise_uses(const std::vector<Edge>& edges) {
  std::vector<PendingUse>* promised = recording_state().promised;
  if (promised == nullptr) return;
  for (const Edge& edge : edges)
    for (const Tensor& input : edge.inputs)
      if (input.node() && input.node()->leaf) promised->emplace_back(input.node()->leaf);
}

void remember_inputs(Edge& edge) {
  for (const Tensor& input : edge.inputs) {
    edge.versions.push_back(input.storage()->version);
    if (input.node() && input.node()->leaf) edge.uses.emplace_back(input.node()->leaf);
  }
}

}  // namespace

Tensor record(std::string_view op, const Tensor& y, std::vector<Edge> edges, Side side) {
  if (!grad_enabled()) {
    promise_uses(edges);
    return y;
  }
  std::erase_if(edges, [](const Edge& edge) { return !needs_grad(edge); });
  if (edges.empty()) return y;
  bool weight_side = side == Side::derived;
  for (Edge& edge : edges) {
    if (!is_weight_edge(op, edge)) weight_side = false;
    remember_inputs(edge);
  }
  auto node = std::make_shared<Node>(std::string(op), weight_side);
  node->shape = y.shape();
  node->edges = std::move(edges);
  return y.with_node(std::move(node));
}

Tensor input_leaf(const Tensor& value) {
  auto node = std::make_shared<Node>("input", false);
  node->shape = value.shape();
  return value.with_node(std::move(node));
}

Tensor gradient_of(const Tensor& leaf) {
  expect(leaf.node() != nullptr, "gradient_of: the tensor is not a leaf that needs a gradient");
  return leaf.node()->pending;
}

}  // namespace boostr
