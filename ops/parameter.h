#pragma once

#include <functional>
#include <memory>
#include <string>

#include "ops/tensor.h"

namespace boostr {

/// Which part of the global tensor a parameter holds: piece `index` of `count` along `axis`. Sizes
/// that `count` does not divide give the first pieces one more.
struct Shard {
  int axis = 0;
  int index = 0;
  int count = 1;
  int copy = 0;  ///< the number of this rank among those that hold the same piece
  friend bool operator==(const Shard&, const Shard&) = default;
};

/// Initial values: N(mean, std^2) by the global element index; std = 0 is a constant.
struct Initial {
  double mean = 0;
  double std = 0;
};

/// What a parameter is, shared by its handles and its graph node.
struct Leaf {
  std::string name;
  Shape global_shape;
  Shard shard;
  Initial initial;
  Tensor value;
  Tensor grad;
  bool has_grad = false;
  std::function<void()> before_grad;
  std::function<void()> on_grad;
};

/// A trained tensor: a cheap shared handle. The gradient is kept in the accumulator type (f64 for
/// f64, else f32).
class Parameter {
 public:
  Parameter() = default;
  /// Value uninitialised, its memory taken at the first access; no gradient. `global_shape` is cut
  /// by `shard`.
  Parameter(const Shape& global_shape, DType dtype, Initial initial, Shard shard = {},
            Device device = cpu_device);

  /// The global name, as in Hugging Face checkpoints; set once by the model that owns the
  /// parameter.
  const std::string& name() const { return leaf_->name; }
  void set_name(std::string name) { leaf_->name = std::move(name); }
  const Shape& shape() const { return leaf_->value.shape(); }
  const Shape& global_shape() const { return leaf_->global_shape; }
  const Shard& shard() const { return leaf_->shard; }
  const Initial& initial() const { return leaf_->initial; }
  DType dtype() const { return leaf_->value.dtype(); }
  std::int64_t numel() const { return leaf_->value.numel(); }

  /// The value as an op's input: gradients flow to grad().
  Tensor value() const { return leaf_->value.with_node(node_); }
  operator Tensor() const { return value(); }
  /// From now on the value lies in `storage` (the parameter's type and shape), with what is there.
  void set_value_storage(Tensor storage);
  /// The sum of the gradients since zero_grad(); meaningless unless has_grad().
  const Tensor& grad() const { return leaf_->grad; }
  bool has_grad() const { return leaf_->has_grad; }
  /// Forgets the gradient without touching memory: the next one overwrites it.
  void zero_grad() { leaf_->has_grad = false; }
  /// The gradient is zero everywhere, as if one had arrived.
  void set_zero_grad();
  /// Makes gradients land in `storage` (acc type, the parameter's shape), for example a slice of a
  /// bucket.
  void set_grad_storage(Tensor storage);
  /// Gives that memory up; what it held is forgotten.
  void release_grad();
  /// Called when the first gradient is about to arrive at a parameter without gradient memory: may
  /// call set_grad_storage().
  void set_before_grad(std::function<void()> hook) { leaf_->before_grad = std::move(hook); }
  /// Called once per backward that reaches the parameter, B and W together counting as one, right
  /// after it has delivered its last contribution to grad(); not for graphs that are dropped.
  void set_on_grad(std::function<void()> hook) { leaf_->on_grad = std::move(hook); }

  bool defined() const { return leaf_ != nullptr; }
  friend bool operator==(const Parameter& a, const Parameter& b) { return a.leaf_ == b.leaf_; }

 private:
  std::shared_ptr<Leaf> leaf_;
  std::shared_ptr<Node> node_;
};

/// The size of piece `index` when `size` is cut into `count` pieces as Shard says, and where it
/// begins.
std::int64_t shard_size(std::int64_t size, int index, int count);
std::int64_t shard_begin(std::int64_t size, int index, int count);

}  // namespace boostr
