#include "ops/parameter.h"

#include <algorithm>

#include "kernels/kernel_table.h"
#include "ops/node.h"

namespace boostr {

std::int64_t shard_size(std::int64_t size, int index, int count) {
  return size / count + (index < size % count ? 1 : 0);
}

std::int64_t shard_begin(std::int64_t size, int index, int count) {
  return size / count * index + std::min<std::int64_t>(index, size % count);
}

namespace {

Shape local_shape(const Shape& global, const Shard& shard) {
  if (shard.count == 1) return global;
  std::vector<std::int64_t> dims(global.dims().begin(), global.dims().end());
  expect(shard.axis >= 0 && shard.axis < global.num_dims(), "a parameter of shape ", global,
         " has no axis ", shard.axis, " to cut");
  dims[shard.axis] = shard_size(dims[shard.axis], shard.index, shard.count);
  return Shape(dims);
}

}  // namespace

Parameter::Parameter(const Shape& global_shape, DType dtype, Initial initial, Shard shard,
                     Device device)
    : leaf_(std::make_shared<Leaf>()) {
  leaf_->global_shape = global_shape;
  leaf_->shard = shard;
  leaf_->initial = initial;
  leaf_->value = Tensor::deferred(local_shape(global_shape, shard), dtype, device);
  node_ = std::make_shared<Node>("parameter", leaf_->value, true);
  node_->leaf = leaf_;
}

void Parameter::set_value_storage(Tensor storage) {
  expect(storage.shape() == shape() && storage.dtype() == dtype(), "the value of '", name(),
         "' needs ", dtype(), " of shape ", shape(), ", got ", storage.dtype(), " of shape ",
         storage.shape());
  leaf_->value = std::move(storage);
}

void Parameter::set_grad_storage(Tensor storage) {
  expect(storage.shape() == shape() && storage.dtype() == accumulator_of(dtype()),
         "the gradient of '", name(), "' needs ", accumulator_of(dtype()), " of shape ", shape(),
         ", got ", storage.dtype(), " of shape ", storage.shape());
  leaf_->grad = std::move(storage);
  leaf_->has_grad = false;
}

void Parameter::release_grad() {
  leaf_->grad = {};
  leaf_->has_grad = false;
}

void Parameter::set_zero_grad() {
  const Tensor& grad = grad_memory(*leaf_);
  kernels(grad.device()).fill(current_stream(grad.device()), grad.out(), 0.0);
  leaf_->has_grad = true;
}

const Tensor& grad_memory(Leaf& leaf) {
  if (!leaf.grad.defined() && leaf.before_grad) leaf.before_grad();
  if (!leaf.grad.defined())
    leaf.grad =
        Tensor::empty(leaf.value.shape(), accumulator_of(leaf.value.dtype()), leaf.value.device());
  return leaf.grad;
}

}  // namespace boostr
