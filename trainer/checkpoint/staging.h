#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "kernels/runtime/memory_ledger.h"
#include "trainer/checkpoint/checkpoint.h"

namespace boostr {

/// Memory that tensors are copied to, so that training may go on while the copy is written. Kept
/// for the next time.
class Staging {
 public:
  Staging() = default;
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging();

  /// Takes addresses for a copy of the tensors. Throws Error(memory) if the system refuses.
  void reserve(const std::vector<CheckpointTensor>& tensors);
  /// Makes the system put memory behind the addresses, which takes several times as long as a copy.
  /// May run on another thread, while nothing else is called.
  void populate();
  /// Copies the tensors on `num_threads` threads and returns them with `local` in this memory,
  /// valid until the next call.
  std::vector<CheckpointTensor> copy(const std::vector<CheckpointTensor>& tensors, int num_threads);

 private:
  void release();

  std::byte* memory_ = nullptr;
  std::size_t bytes_ = 0;
  std::optional<MemoryCharge> charge_;
};

}  // namespace boostr
