#pragma once

#include <vector>

#include "tests/parallel/rank_values.h"

namespace boostr::testing {

/// A buffer in ordinary or in shared memory.
template <class T>
class TestBuffer {
 public:
  TestBuffer(Communicator& group, std::int64_t numel, bool shared) : numel_(numel) {
    if (shared) {
      data_ = group.allocate_shared(dtype_of<T>, numel).template as<T>();
    } else {
      own_.resize(static_cast<std::size_t>(numel));
      data_ = own_.data();
    }
  }
  T* data() { return data_; }
  Out out(std::int64_t first, std::int64_t count) { return {data_ + first, dtype_of<T>, {count}}; }
  Out out() { return out(0, numel_); }
  void fill(int rank) {
    for (std::int64_t i = 0; i < numel_; ++i) data_[i] = rank_value<T>(rank, i);
  }

 private:
  std::int64_t numel_;
  std::vector<T> own_;
  T* data_ = nullptr;
};

/// Calls f.operator()<T>() for every element type.
template <class F>
void for_each_dtype(F&& f) {
  for (const DType dtype :
       {DType::f32, DType::bf16, DType::f16, DType::f64, DType::i32, DType::i64, DType::u8}) {
    dispatch_any(dtype, f);
  }
}

}  // namespace boostr::testing
