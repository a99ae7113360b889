#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "ops/tensor.h"

/// Reverse-mode differentiation, first order. A gradient is a property of an edge: an op records,
/// for each input, the function that computes that input's gradient. A value is weight-side if it
/// was computed from parameters alone, else data-side; the edges to the two sides can run apart,
/// which is the B/W split of zero-bubble pipelines (arXiv 2401.10241). Gradients of data-side
/// values have the value's type, those of weight-side values the accumulator type.
///
/// Gradient functions run with recording off. They may capture inputs and detached outputs, and
/// must not write to them; a `dy` may be shared with other edges, so it must not be written either.
namespace boostr {

/// Writes (`accumulate` false) or adds the gradient of one input into `grad`.
struct GradInto {
  std::function<void(const Tensor& dy, const Tensor& grad, bool accumulate)> write;
  bool any_dtype;  ///< else `grad` is of accumulator type
};
/// Returns the gradients of the edge's inputs in their order.
using GradOf = std::function<std::vector<Tensor>(const Tensor& dy)>;

/// From an op's output to one input, or to several that are differentiated together; never data and
/// weights mixed.
struct Edge {
  /// dx = gradient(dy)
  template <std::invocable<const Tensor&> F>
  Edge(Tensor input, F gradient)
      : inputs{std::move(input)},
        compute(GradOf([gradient = std::move(gradient)](const Tensor& dy) {
          return std::vector<Tensor>{gradient(dy)};
        })) {}
  /// gradient(dy, grad, accumulate) writes straight into the gradient's memory: for weights.
  template <std::invocable<const Tensor&, const Tensor&, bool> F>
  Edge(Tensor input, F gradient)
      : inputs{std::move(input)}, compute(GradInto{std::move(gradient), false}) {}
  /// The same of a product, which adds into every type at no cost: for data that several products
  /// read.
  template <std::invocable<const Tensor&, const Tensor&, bool> F>
  static Edge of_product(Tensor input, F gradient) {
    Edge edge(std::move(input), std::move(gradient));
    std::get<GradInto>(edge.compute).any_dtype = true;
    return edge;
  }
  /// {dq, dk, dv} = gradient(dy)
  Edge(std::vector<Tensor> several, GradOf gradient)
      : inputs(std::move(several)), compute(std::move(gradient)) {}

  std::vector<Tensor> inputs;
  std::variant<GradOf, GradInto> compute;
};

enum class Side : std::uint8_t {
  derived,  ///< weight-side if every input of every edge is
  data,     ///< data-side: the op also reads data that has no gradient (token ids)
};

/// Attaches the edges to `y`, which the op has just computed, and returns it with its graph node.
/// Edges whose inputs need no gradient are dropped; without any left, or under NoGrad, `y` is
/// returned as it is. Closures must capture inputs or detached outputs only, never `y` itself.
/// `also_read` lists tensors without gradients that the edges read (ids, masks, statistics): like
/// the inputs, they must not be written to before the backward, which checks it.
Tensor record(std::string_view op, const Tensor& y, std::vector<Edge> edges,
              Side side = Side::derived, const std::vector<Tensor>& also_read = {});

enum class Recording : std::uint8_t;

/// While it lives, ops of this thread record nothing.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  Recording before_;
};
/// Whether ops of this thread record.
bool grad_enabled();
/// Whether an op on these inputs would be recorded, so that it is worth computing what only a
/// gradient needs.
bool needs_grad(std::initializer_list<Tensor> inputs);
/// The type of the gradient of `value`.
DType gradient_dtype(const Tensor& value);

/// A data-side leaf over `value`: after a backward, gradient_of(leaf) is its gradient (undefined if
/// none arrived). The input of a pipeline stage is one.
Tensor input_leaf(const Tensor& value);
Tensor gradient_of(const Tensor& leaf);

class OutstandingUses;

/// The weight-side work that backward_input left to do. Dropping it loses those gradients.
class WeightGrads {
 public:
  WeightGrads() = default;
  WeightGrads(WeightGrads&&) = default;
  WeightGrads& operator=(WeightGrads&&) = default;

  /// W: runs the edges to weight-side inputs. Parameter gradients land here, in the order and with
  /// the bits of a full backward.
  void run();
  bool empty() const { return parts_.empty(); }
  /// Appends the work of another backward, to run after this one's.
  void append(WeightGrads&& other);

 private:
  friend class BackwardPass;
  struct Item {
    std::shared_ptr<Node> node;
    Tensor dy;
    /// The oldest node that B visited since the previous item: newer weight-side values that are
    /// complete come before this item.
    std::uint64_t oldest_visited;
  };
  /// What one backward left.
  struct Part {
    std::shared_ptr<OutstandingUses> uses;
    std::vector<Item> items;
  };
  std::vector<Part> parts_;
};

/// Full backward from `output` with the gradient `dy` of its shape. The graph is consumed: a second
/// backward through any of it is an Error. Memory is freed as the pass proceeds, except what the
/// caller holds.
void backward(const Tensor& output, const Tensor& dy);
/// From a one-element loss with dy = 1.
void backward(const Tensor& loss);
/// B: runs the edges to data-side inputs only and returns the rest.
[[nodiscard]] WeightGrads backward_input(const Tensor& output, const Tensor& dy);

/// recompute(f, x) = f(x), keeping only x: the backward computes f again (arXiv 1604.06174). f must
/// do the same both times; it may read any parameters and other tensors, whose gradients arrive as
/// if f had been called directly, bit for bit.
Tensor recompute(std::function<Tensor(const Tensor&)> f, const Tensor& x);

}  // namespace boostr
