#pragma once

#include <vector>

#include "kernels/runtime/buffer.h"
#include "trainer/checkpoint/checkpoint.h"

namespace boostr {

/// Memory that tensors are copied to, so that training may go on while the copy is written. Kept
/// for the next time.
class Staging {
 public:
  /// Copies the tensors on `num_threads` threads and returns them with `local` in this memory,
  /// valid until the next call.
  std::vector<CheckpointTensor> copy(const std::vector<CheckpointTensor>& tensors, int num_threads);

 private:
  Buffer memory_;
};

}  // namespace boostr
