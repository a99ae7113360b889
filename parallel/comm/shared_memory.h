#pragma once

#include <cstddef>
#include <memory>

#include "parallel/comm/transport.h"

namespace boostr {

/// `count` zero-filled segments of `bytes` for threads of this process. Pages cost memory when
/// touched.
SharedSegments private_segments(int count, std::size_t bytes);

/// A zero-filled piece of memory that other processes of this host can map. It has no name in any
/// file system: it is gone with the last process that maps it, however that ended, and its size is
/// not limited by /dev/shm (64 MB in a container, say).
class SharedMemory {
 public:
  /// Creates and maps it; throws Error(memory).
  explicit SharedMemory(std::size_t bytes);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  const std::shared_ptr<std::byte>& mapping() const { return mapping_; }
  /// The descriptor by which a process of the same user opens it, together with this process's id,
  /// while this object lives.
  int descriptor() const { return descriptor_; }

  /// Maps the memory of another process; null where this process may not (another user, container
  /// or host).
  static std::shared_ptr<std::byte> open(int process, int descriptor, std::size_t bytes);

 private:
  int descriptor_ = -1;
  std::shared_ptr<std::byte> mapping_;
};

}  // namespace boostr
