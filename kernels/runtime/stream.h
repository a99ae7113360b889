#pragma once

#include <cstddef>

#include "kernels/runtime/buffer.h"
#include "kernels/runtime/device.h"

namespace boostr {

/// An ordered queue of kernels on one device. On the CPU kernels run at once, on `num_threads`
/// OpenMP threads; results never depend on that number. Used by one host thread at a time.
class Stream {
 public:
  explicit Stream(Device device = cpu_device, int num_threads = 1)
      : device_(device), num_threads_(num_threads) {}
  /// A stream on which nothing runs: its scratch is taken and counted, but not given out.
  static Stream dry(Device device, int num_threads) {
    Stream stream(device, num_threads);
    stream.dry_ = true;
    return stream;
  }

  Device device() const { return device_; }
  int num_threads() const { return num_threads_; }

  /// Workspace of at least `bytes`, 64-byte aligned, valid until the next call. Grows and stays, so
  /// that kernels allocate nothing from the second step on. Null on a dry stream: a kernel asks for
  /// its workspace before it touches an operand, and returns if it gets none.
  std::byte* scratch(std::size_t bytes) {
    if (bytes > scratch_.size() || !scratch_) {
      scratch_ = Buffer();  // give back first: never both at a time
      scratch_ = Buffer::dedicated(bytes, device_);
    }
    return dry_ ? nullptr : scratch_.data();
  }

 private:
  Device device_;
  int num_threads_;
  bool dry_ = false;
  Buffer scratch_;
};

}  // namespace boostr
