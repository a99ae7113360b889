#include <algorithm>
#include <limits>
#include <queue>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "kernels/kernel_table.h"
#include "ops/autograd.h"
#include "ops/copy.h"
#include "ops/node.h"

namespace boostr {

/// How many contributions to each parameter's gradient one backward still has to deliver: B and W
/// and recomputed segments together.
class OutstandingUses {
 public:
  explicit OutstandingUses(const Node& output) {
    visit(output);
    while (!todo_.empty()) {
      const Node& node = *todo_.back();
      todo_.pop_back();
      for (const RecordedEdge& edge : node.edges) use_all(edge.inputs);
      if (node.segment) use_all(node.segment->inputs);
    }
    seen_.clear();
  }

  /// Tells the parameter if that was the last.
  void delivered(const Leaf& leaf) {
    if (--counts_[&leaf] == 0 && leaf.on_grad) leaf.on_grad();
  }

 private:
  void use_all(const std::vector<std::shared_ptr<Node>>& inputs) {
    for (const std::shared_ptr<Node>& input : inputs)
      if (input) use(*input);
  }
  void use(const Node& node) {
    if (node.leaf)
      ++counts_[node.leaf.get()];
    else
      visit(node);
  }
  void visit(const Node& node) {
    if (seen_.insert(&node).second) todo_.push_back(&node);
  }

  std::unordered_map<const Leaf*, int> counts_;
  std::unordered_set<const Node*> seen_;
  std::vector<const Node*> todo_;
};

namespace {

struct OlderFirst {
  bool operator()(const std::shared_ptr<Node>& a, const std::shared_ptr<Node>& b) const {
    return a->sequence < b->sequence;
  }
};

bool every_edge(const RecordedEdge& /*edge*/) { return true; }
bool to_data(const RecordedEdge& edge) { return !edge.leads_to_weights(); }

void check_unwritten(const Node& node) {
  for (const ReadBytes& read : node.reads) {
    const std::shared_ptr<Storage> storage = read.storage.lock();
    expect(!storage || storage->version == read.version, node.op,
           ": what it read was written to after it was recorded, so its gradient would be wrong");
  }
}

void deliver_to_parameter(Leaf& leaf, const Tensor& dy) {
  const Tensor& grad = grad_memory(leaf);
  if (leaf.has_grad)
    add_into(grad, dy);
  else
    copy_into(grad, dy);
  leaf.has_grad = true;
}

/// The node holds the only handle to these bytes, and nobody outside owns them.
bool owned_by_node(const Tensor& pending) {
  return pending.storage().use_count() == 1 && pending.storage()->buffer;
}

}  // namespace

/// Runs edges from newer to older nodes. Every consumer of a value is newer than the value, so when
/// a node comes up its gradient is complete; the order is a property of the graph, so gradients are
/// the same bits in every run.
class BackwardPass {
 public:
  explicit BackwardPass(std::shared_ptr<OutstandingUses> uses) : uses_(std::move(uses)) {}
  BackwardPass(const BackwardPass&) = delete;
  BackwardPass& operator=(const BackwardPass&) = delete;
  /// After an exception, what was not reached holds no half gradients.
  ~BackwardPass() {
    for (; !ready_.empty(); ready_.pop()) ready_.top()->pending = {};
  }

  /// From `output`: all edges, or, with `part`, edges to data-side inputs, leaving the rest there.
  static void run(const Tensor& output, const Tensor& dy, WeightGrads* later) {
    expect(output.node() != nullptr,
           "backward: the output does not depend on anything that needs a gradient");
    expect(output.shape() == dy.shape(), "backward: the gradient has shape ", dy.shape(),
           ", the output ", output.shape());
    const NoGrad no_grad;
    BackwardPass pass(std::make_shared<OutstandingUses>(*output.node()));
    WeightGrads::Part part{pass.uses_, {}};
    if (later != nullptr) pass.part_ = &part;
    pass.receive(output.node(), dy);
    pass.drain(0);
    if (!part.items.empty()) later->parts_.push_back(std::move(part));
  }

  static void run_weight_edges(WeightGrads::Part part) {
    const NoGrad no_grad;
    BackwardPass pass(part.uses);
    for (WeightGrads::Item& item : part.items) {
      pass.drain(item.oldest_visited);
      const WeightGrads::Item now = std::exchange(item, {});
      pass.run_edges(*now.node, now.dy, every_edge);
    }
    pass.drain(0);
  }

 private:
  /// Processes what is ready and newer than `sequence`.
  void drain(std::uint64_t sequence) {
    while (!ready_.empty() && ready_.top()->sequence > sequence) {
      const std::shared_ptr<Node> node = ready_.top();
      ready_.pop();
      process(node);
    }
  }

  void process(const std::shared_ptr<Node>& node) {
    node->consumed = true;
    oldest_visited_ = std::min(oldest_visited_, node->sequence);
    const Tensor dy = std::exchange(node->pending, {});
    if (node->segment) return replay(*node, dy);
    if (part_ == nullptr) return run_edges(*node, dy, every_edge);
    run_edges(*node, dy, to_data);
    if (node->edges.empty()) return;
    part_->items.push_back({node, dy, std::exchange(oldest_visited_, no_node)});
  }

  /// Records the segment again: its nodes are newer than all that is left, so they come next.
  void replay(Node& node, const Tensor& dy) {
    check_unwritten(node);
    const std::unique_ptr<Segment> segment = std::move(node.segment);
    Tensor output;
    {
      const ScopedRecording on({.mode = Recording::on});
      output = segment->replay();
    }
    expect(output.shape() == dy.shape(), node.op, ": the function returned shape ", dy.shape(),
           ", and when computed again ", output.shape());
    if (output.node()) receive(output.node(), dy);
  }

  /// Runs the chosen edges in order and drops them, which frees what they saved.
  template <class Chosen>
  void run_edges(Node& node, const Tensor& dy, Chosen chosen) {
    if (std::ranges::none_of(node.edges, chosen)) return;
    check_unwritten(node);
    for (const RecordedEdge& edge : node.edges) {
      if (!chosen(edge)) continue;
      if (const auto* into = std::get_if<GradInto>(&edge.compute))
        run_into(edge.inputs.front(), *into, dy);
      else
        run_returning(node, edge, dy);
      for (const std::shared_ptr<Node>& input : edge.inputs)
        if (input && input->leaf) uses_->delivered(*input->leaf);
    }
    std::erase_if(node.edges, chosen);
  }

  void run_returning(const Node& node, const RecordedEdge& edge, const Tensor& dy) {
    const std::vector<Tensor> grads = std::get<GradOf>(edge.compute)(dy);
    expect(grads.size() == edge.inputs.size(), node.op, ": an edge to ", edge.inputs.size(),
           " inputs returned ", grads.size(), " gradients");
    for (std::size_t i = 0; i < grads.size(); ++i) {
      if (!edge.inputs[i]) continue;
      expect(grads[i].defined(), node.op, ": gradient ", i, " is undefined");
      expect(grads[i].shape() == edge.inputs[i]->shape, node.op, ": gradient ", i, " has shape ",
             grads[i].shape(), ", its input ", edge.inputs[i]->shape);
      receive(edge.inputs[i], grads[i]);
    }
  }

  void run_into(const std::shared_ptr<Node>& input, const GradInto& gradient, const Tensor& dy) {
    if (input->leaf) {
      gradient.write(dy, grad_memory(*input->leaf), input->leaf->has_grad);
      input->leaf->has_grad = true;
      return;
    }
    const DType dtype = gradient.any_dtype ? input->grad_dtype : accumulator_of(input->grad_dtype);
    if (input->pending.defined() && input->grad_dtype == dtype)
      return gradient.write(dy, writable_pending(*input), true);
    const Tensor grad = Tensor::empty(input->shape, dtype, input->device);
    gradient.write(dy, grad, false);
    receive(input, grad);
  }

  void receive(const std::shared_ptr<Node>& node, const Tensor& dy) {
    if (node->leaf) return deliver_to_parameter(*node->leaf, dy);
    expect(!node->consumed, node->op, ": a backward already ran through this graph");
    if (node->pending.defined()) return add_into(writable_pending(*node), dy);
    node->pending = converted(dy.detach(), node->grad_dtype);
    if (!node->is_input) ready_.push(node);
  }

  /// What the node received so far, in bytes of its own: the first gradient may be shared with
  /// another edge (add hands out dy itself).
  static const Tensor& writable_pending(Node& node) {
    if (!owned_by_node(node.pending)) {
      const Tensor own =
          Tensor::empty(node.pending.shape(), node.pending.dtype(), node.pending.device());
      copy_into(own, node.pending);
      node.pending = own;
    }
    return node.pending;
  }

  static constexpr std::uint64_t no_node = std::numeric_limits<std::uint64_t>::max();

  std::shared_ptr<OutstandingUses> uses_;
  WeightGrads::Part* part_ = nullptr;  ///< set: edges to weight-side inputs are left here
  std::uint64_t oldest_visited_ = no_node;
  std::priority_queue<std::shared_ptr<Node>, std::vector<std::shared_ptr<Node>>, OlderFirst> ready_;
};

void backward(const Tensor& output, const Tensor& dy) { BackwardPass::run(output, dy, nullptr); }

void backward(const Tensor& loss) {
  expect(loss.numel() == 1, "backward: the loss has shape ", loss.shape(),
         ", not one element; pass a gradient");
  backward(loss, Tensor::full(loss.shape(), loss.dtype(), 1.0, loss.device()));
}

WeightGrads backward_input(const Tensor& output, const Tensor& dy) {
  WeightGrads later;
  BackwardPass::run(output, dy, &later);
  return later;
}

void WeightGrads::run() {
  for (Part& part : std::exchange(parts_, {})) BackwardPass::run_weight_edges(std::move(part));
}

void WeightGrads::append(WeightGrads&& other) {
  std::ranges::move(other.parts_, std::back_inserter(parts_));
  other.parts_.clear();
}

}  // namespace boostr
