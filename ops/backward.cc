#include <algorithm>
#include <queue>
#include <utility>

#include "kernels/kernel_table.h"
#include "ops/autograd.h"
#include "ops/node.h"

namespace boostr {
namespace {

struct OlderFirst {
  bool operator()(const std::shared_ptr<Node>& a, const std::shared_ptr<Node>& b) const {
    return a->sequence < b->sequence;
  }
};

bool is_leaf(const Node& node) { return node.edges.empty() && !node.segment; }

bool is_weight_edge(const Edge& edge) {
  return std::ranges::any_of(edge.inputs,
                             [](const Tensor& i) { return i.node() && i.node()->weight_side; });
}

void check_versions(const Node& node, const Edge& edge) {
  for (std::size_t i = 0; i < edge.inputs.size(); ++i)
    expect(edge.inputs[i].storage()->version == edge.versions[i], node.op, ": input ", i,
           " was written to after it was recorded, so its gradient would be wrong");
}

void add_into(const Tensor& sum, const Tensor& term) {
  kernels(sum.device()).axpy(current_stream(sum.device()), sum.out(), term.in(), 1.0);
}

Tensor converted(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  const Tensor y = Tensor::empty(x.shape(), dtype, x.device());
  kernels(x.device()).cast(current_stream(x.device()), y.out(), x.in());
  return y;
}

/// The memory of a parameter's gradient, made on first use.
const Tensor& grad_of(Leaf& leaf) {
  if (!leaf.grad.defined())
    leaf.grad =
        Tensor::empty(leaf.value.shape(), accumulator_of(leaf.value.dtype()), leaf.value.device());
  return leaf.grad;
}

void deliver_to_parameter(Leaf& leaf, const Tensor& dy) {
  const Tensor& grad = grad_of(leaf);
  Stream& stream = current_stream(grad.device());
  if (std::exchange(leaf.has_grad, true))
    kernels(grad.device()).axpy(stream, grad.out(), dy.in(), 1.0);
  else
    kernels(grad.device()).cast(stream, grad.out(), dy.in());
}

}  // namespace

/// Runs edges from newer to older nodes. Every consumer of a value is newer than the value, so when
/// a node comes up its gradient is complete; the order is a property of the graph, so gradients are
/// the same bits in every run.
class BackwardPass {
 public:
  /// `later` null: all edges run. Otherwise edges to weight-side inputs are left in it.
  explicit BackwardPass(WeightGrads* later) : later_(later) {}

  void start(const Tensor& output, const Tensor& dy) {
    expect(output.node() != nullptr,
           "backward: the output does not depend on anything that needs a gradient");
    expect(output.shape() == dy.shape(), "backward: the gradient has shape ", dy.shape(),
           ", the output ", output.shape());
    receive(output.node(), dy);
    drain();
  }

  void run_weight_edges(WeightGrads::Item& item) {
    run_edges(*item.node, item.dy, [](const Edge&) { return true; });
    item = {};
  }

  void drain() {
    while (!ready_.empty()) {
      const std::shared_ptr<Node> node = ready_.top();
      ready_.pop();
      process(node);
    }
  }

 private:
  void process(const std::shared_ptr<Node>& node) {
    expect(!std::exchange(node->consumed, true), node->op,
           ": backward already ran through this graph");
    const Tensor dy = std::exchange(node->pending, {});
    if (node->segment) return process_segment(*node, dy);
    if (later_ == nullptr) return run_edges(*node, dy, [](const Edge&) { return true; });
    run_edges(*node, dy, [](const Edge& edge) { return !is_weight_edge(edge); });
    if (!node->edges.empty()) later_->work_.push_back({node, dy});
  }

  void process_segment(Node& node, const Tensor& dy) {
    SegmentGrads grads = std::exchange(node.segment, nullptr)(dy);
    if (grads.dx.defined() && node.segment_input) receive(node.segment_input, grads.dx);
    if (later_ == nullptr)
      grads.later.run();
    else
      later_->append(std::move(grads.later));
  }

  /// Runs the chosen edges in order and drops them, which frees what they saved.
  template <class Chosen>
  void run_edges(Node& node, const Tensor& dy, Chosen chosen) {
    for (Edge& edge : node.edges) {
      if (!chosen(edge)) continue;
      check_versions(node, edge);
      if (auto* into = std::get_if<GradInto>(&edge.compute))
        run_into(edge.inputs[0], *into, dy);
      else
        run_returning(node, edge, std::get<GradOf>(edge.compute), dy);
      finish_uses(edge);
    }
    std::erase_if(node.edges, chosen);
  }

  void run_returning(const Node& node, const Edge& edge, const GradOf& gradient, const Tensor& dy) {
    const std::vector<Tensor> grads = gradient(dy);
    expect(grads.size() == edge.inputs.size(), node.op, ": an edge to ", edge.inputs.size(),
           " inputs returned ", grads.size(), " gradients");
    for (std::size_t i = 0; i < grads.size(); ++i) {
      if (!edge.inputs[i].node() || !grads[i].defined()) continue;
      expect(grads[i].shape() == edge.inputs[i].shape(), node.op, ": gradient ", i, " has shape ",
             grads[i].shape(), ", its input ", edge.inputs[i].shape());
      receive(edge.inputs[i].node(), grads[i]);
    }
  }

  void run_into(const Tensor& input, const GradInto& gradient, const Tensor& dy) {
    Node& node = *input.node();
    if (node.leaf)
      return gradient(dy, grad_of(*node.leaf), std::exchange(node.leaf->has_grad, true));
    const Tensor grad = Tensor::empty(input.shape(), accumulator_of(input.dtype()), input.device());
    gradient(dy, grad, false);
    receive(input.node(), node.weight_side ? grad : converted(grad, input.dtype()));
  }

  void receive(const std::shared_ptr<Node>& node, const Tensor& dy) {
    if (node->leaf) return deliver_to_parameter(*node->leaf, dy);
    if (!node->pending.defined()) {
      node->pending = dy.detach();
      if (!is_leaf(*node)) ready_.push(node);
      return;
    }
    // The first gradient may be shared with another edge (add hands out dy itself): write only to
    // what is ours.
    Tensor sum = node->pending;
    if (!owns(*node, sum)) {
      sum = Tensor::empty(sum.shape(), sum.dtype(), sum.device());
      kernels(sum.device()).cast(current_stream(sum.device()), sum.out(), node->pending.in());
    }
    add_into(sum, dy);
    node->pending = sum;
  }

  /// `sum` and the node hold the only two handles to these bytes.
  static bool owns(const Node& /*node*/, const Tensor& sum) {
    return sum.storage().use_count() == 2;
  }

  /// Tells parameters whose last outstanding contribution this was.
  static void finish_uses(Edge& edge) {
    edge.uses.clear();
    for (const Tensor& input : edge.inputs) {
      if (!input.node() || !input.node()->leaf) continue;
      const Leaf& leaf = *input.node()->leaf;
      if (leaf.pending_uses == 0 && leaf.on_grad) leaf.on_grad();
    }
  }

  WeightGrads* later_;
  std::priority_queue<std::shared_ptr<Node>, std::vector<std::shared_ptr<Node>>, OlderFirst> ready_;
};

void backward(const Tensor& output, const Tensor& dy) { BackwardPass(nullptr).start(output, dy); }

void backward(const Tensor& loss) {
  expect(loss.numel() == 1, "backward: the loss has shape ", loss.shape(),
         ", not one element; pass a gradient");
  backward(loss, Tensor::full(loss.shape(), loss.dtype(), 1.0, loss.device()));
}

WeightGrads backward_input(const Tensor& output, const Tensor& dy) {
  WeightGrads later;
  BackwardPass(&later).start(output, dy);
  return later;
}

void WeightGrads::run() {
  BackwardPass pass(nullptr);
  for (Item& item : work_) pass.run_weight_edges(item);
  work_.clear();
  pass.drain();
}

void WeightGrads::append(WeightGrads&& other) {
  std::ranges::move(other.work_, std::back_inserter(work_));
  other.work_.clear();
}

}  // namespace boostr
