#pragma once

#include <cstddef>

#include "kernels/runtime/dtype.h"
#include "kernels/runtime/shape.h"

namespace boostr {

/// A non-owning, row-contiguous view that a kernel reads. Empty (`data == nullptr`) where optional.
struct In {
  const void* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;

  template <class T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
  explicit operator bool() const { return data != nullptr; }
  std::size_t bytes() const { return std::size_t(shape.numel()) * size_of(dtype); }
};

/// A non-owning, row-contiguous view that a kernel writes.
struct Out {
  void* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  explicit operator bool() const { return data != nullptr; }
  std::size_t bytes() const { return std::size_t(shape.numel()) * size_of(dtype); }
  operator In() const { return {data, dtype, shape}; }
};

}  // namespace boostr
