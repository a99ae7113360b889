#include "ops/tensor.h"

#include <cstring>

#include "kernels/kernel_table.h"

namespace boostr {

namespace {

void allocate(Storage& storage, std::size_t bytes, Device device) {
  storage.buffer = Buffer(bytes, device);
  storage.data = storage.buffer.data();
}

}  // namespace

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  Tensor tensor = without_bytes(shape, dtype, device);
  allocate(*tensor.storage_, tensor.numel_bytes(), device);
  return tensor;
}

Tensor Tensor::deferred(const Shape& shape, DType dtype, Device device) {
  const std::size_t bytes = static_cast<std::size_t>(shape.numel()) * size_of(dtype);
  return elsewhere(
      shape, dtype,
      [bytes, device](Storage& storage) {
        if (storage.data == nullptr) allocate(storage, bytes, device);
      },
      device);
}

Tensor Tensor::elsewhere(const Shape& shape, DType dtype, std::function<void(Storage&)> on_access,
                         Device device) {
  Tensor tensor = without_bytes(shape, dtype, device);
  tensor.storage_->on_access = std::move(on_access);
  return tensor;
}

Tensor Tensor::without_bytes(const Shape& shape, DType dtype, Device device) {
  Tensor tensor;
  tensor.storage_ = std::make_shared<Storage>();
  tensor.shape_ = shape;
  tensor.dtype_ = dtype;
  tensor.device_ = device;
  return tensor;
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) {
  return full(shape, dtype, 0.0, device);
}

Tensor Tensor::full(const Shape& shape, DType dtype, double value, Device device) {
  Tensor tensor = empty(shape, dtype, device);
  kernels(device).fill(current_stream(device), tensor.out(), value);
  return tensor;
}

Tensor Tensor::over(const Out& view, std::shared_ptr<void> owner) {
  Tensor tensor;
  tensor.storage_ = std::make_shared<Storage>();
  tensor.storage_->owner = std::move(owner);
  tensor.storage_->data = static_cast<std::byte*>(view.data);
  tensor.shape_ = view.shape;
  tensor.dtype_ = view.dtype;
  return tensor;
}

void Tensor::fill_from(const void* values, std::size_t count) {
  expect(count == static_cast<std::size_t>(numel()), "Tensor::of: ", count,
         " values do not fit shape ", shape_);
  if (count > 0) std::memcpy(out().data, values, numel_bytes());
}

std::byte* Tensor::data() const {
  if (storage_->on_access) storage_->on_access(*storage_);
  return storage_->data + byte_offset_;
}

In Tensor::in() const {
  expect(defined(), "an undefined tensor was read");
  return {data(), dtype_, shape_};
}

Out Tensor::out() const {
  expect(defined(), "an undefined tensor was written");
  ++storage_->version;
  return {data(), dtype_, shape_};
}

double Tensor::item() const {
  expect(numel() == 1, "item: the tensor has shape ", shape_, ", not one element");
  return dispatch_any(dtype_, [&]<class T>() {
    return static_cast<double>(static_cast<Accumulator<T>>(values<T>()[0]));
  });
}

Tensor Tensor::view(const Shape& shape) const {
  expect(shape.numel() == numel(), "view: shape ", shape_, " cannot be seen as ", shape);
  Tensor tensor = detach();
  tensor.shape_ = shape;
  return tensor;
}

Tensor Tensor::rows(std::int64_t begin, std::int64_t count) const {
  expect(shape_.num_dims() > 0 && begin >= 0 && count >= 0 && begin + count <= shape_[0], "rows: [",
         begin, ", ", begin + count, ") is not inside shape ", shape_);
  std::vector<std::int64_t> dims(shape_.dims().begin(), shape_.dims().end());
  dims[0] = count;
  Tensor tensor = detach();
  const std::int64_t row_numel = shape_[0] == 0 ? 0 : numel() / shape_[0];
  tensor.byte_offset_ += static_cast<std::size_t>(begin * row_numel) * size_of(dtype_);
  tensor.shape_ = Shape(dims);
  return tensor;
}

Tensor Tensor::detach() const { return with_node(nullptr); }

Tensor Tensor::with_node(std::shared_ptr<Node> node) const {
  Tensor tensor = *this;
  tensor.node_ = std::move(node);
  return tensor;
}

}  // namespace boostr
