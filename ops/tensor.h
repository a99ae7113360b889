#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "kernels/runtime/buffer.h"
#include "kernels/runtime/view.h"

namespace boostr {

class Node;

/// The bytes behind one or more tensors. Handles share it, so memory can be emptied and refilled
/// under them.
struct Storage {
  /// Called before each access, if set: brings bytes that are elsewhere at the moment to `data`.
  std::function<void(Storage&)> on_access;
  Buffer buffer;                ///< owns the bytes, or
  std::shared_ptr<void> owner;  ///< keeps alive whoever does
  std::byte* data = nullptr;
  std::uint64_t version =
      0;  ///< counts writes; a recorded tensor must not change until its gradient was computed
};

/// A row-contiguous array on a device: a cheap shared handle. Copies share bytes and graph. A
/// tensor that an op computed from something that needs gradients carries the graph node that
/// computes them (see autograd.h).
class Tensor {
 public:
  Tensor() = default;

  /// Uninitialised elements.
  static Tensor empty(const Shape& shape, DType dtype, Device device = cpu_device);
  /// Uninitialised elements whose memory is allocated when they are first accessed.
  static Tensor deferred(const Shape& shape, DType dtype, Device device = cpu_device);
  static Tensor zeros(const Shape& shape, DType dtype, Device device = cpu_device);
  /// Every element `value`.
  static Tensor full(const Shape& shape, DType dtype, double value, Device device = cpu_device);
  /// A copy of host values in row-major order; Error unless their number fits the shape.
  template <class T>
  static Tensor of(const Shape& shape, std::span<const T> values) {
    Tensor tensor = empty(shape, dtype_of<T>);
    tensor.fill_from(values.data(), values.size());
    return tensor;
  }
  template <class T>
  static Tensor of(const Shape& shape, const std::vector<T>& values) {
    return of(shape, std::span<const T>(values));
  }
  /// A tensor over memory that somebody else owns; `owner` is kept alive with it.
  static Tensor over(const Out& view, std::shared_ptr<void> owner = nullptr);
  /// Elements that `on_access` brings before each access, by setting the storage's `data`.
  static Tensor elsewhere(const Shape& shape, DType dtype, std::function<void(Storage&)> on_access,
                          Device device = cpu_device);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  std::int64_t numel() const { return shape_.numel(); }
  DType dtype() const { return dtype_; }
  Device device() const { return device_; }

  /// For kernels that read.
  In in() const;
  /// For kernels that write; counts as a write to every tensor that shares these bytes.
  Out out() const;
  /// The elements, on the host; Error if T is not the element type.
  template <class T>
  std::span<const T> values() const {
    expect(dtype_ == dtype_of<T>, "values: the tensor holds ", dtype_, ", not ", dtype_of<T>);
    return {static_cast<const T*>(in().data), static_cast<std::size_t>(numel())};
  }
  /// The only element of a one-element tensor, as double.
  double item() const;

  /// The same bytes under another shape with as many elements; no gradient flows (see reshape in
  /// ops/reshape.h).
  Tensor view(const Shape& shape) const;
  /// Rows [begin, begin + count) of the first dimension, sharing bytes; no gradient flows.
  Tensor rows(std::int64_t begin, std::int64_t count) const;
  /// The same bytes without the graph.
  Tensor detach() const;

  const std::shared_ptr<Node>& node() const { return node_; }
  Tensor with_node(std::shared_ptr<Node> node) const;
  const std::shared_ptr<Storage>& storage() const { return storage_; }

 private:
  static Tensor without_bytes(const Shape& shape, DType dtype, Device device);
  void fill_from(const void* values, std::size_t count);
  std::size_t numel_bytes() const { return static_cast<std::size_t>(numel()) * size_of(dtype_); }
  std::byte* data() const;

  std::shared_ptr<Storage> storage_;
  std::size_t byte_offset_ = 0;
  Shape shape_;
  DType dtype_ = DType::f32;
  Device device_;
  std::shared_ptr<Node> node_;
};

}  // namespace boostr
