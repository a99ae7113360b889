#pragma once

#include <functional>

#include "ops/tensor.h"

namespace boostr {

/// A value that is cheaper to compute again than to keep: y = f(). When it goes out of scope, so
/// after the ops that read it ran forward, its bytes are given up, and the first gradient that reads
/// them runs f once more, without recording. f must do the same both times and capture nothing that
/// f's result leads to; what it reads must not be written to before.
class Transient {
 public:
  /// With `keep`, or while nothing is recorded, no more than f().
  Transient(std::function<Tensor()> f, bool keep);
  Transient(const Transient&) = delete;
  Transient& operator=(const Transient&) = delete;
  ~Transient();

  const Tensor& value() const { return y_; }

 private:
  std::function<Tensor()> f_;  ///< empty: the bytes stay
  Tensor y_;
};

}  // namespace boostr
