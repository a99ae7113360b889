#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "kernels/runtime/device.h"

namespace boostr {

/// What the caching allocator of a device has done since the process started.
struct AllocatorStats {
  std::uint64_t system_allocations = 0;  ///< requests that reached the operating system
  std::uint64_t requests = 0;            ///< all requests
  std::size_t bytes_in_use = 0;          ///< held by live buffers
  std::size_t bytes_cached = 0;          ///< free, kept for reuse
  std::size_t peak_bytes_in_use = 0;
};

/// A shared handle to uninitialised bytes on a device, 64-byte aligned. Freed blocks go to a cache,
/// so a steady training step allocates nothing from the system. Thread-safe.
class Buffer {
 public:
  Buffer() = default;
  /// Allocates; throws Error(memory) when the system refuses, or would have to end a process for
  /// it.
  Buffer(std::size_t bytes, Device device = cpu_device);
  /// Bytes that come from the system and go back to it, past the cache: for memory that lives long,
  /// so that it never takes away a block that a step's tensors come back to.
  static Buffer dedicated(std::size_t bytes, Device device = cpu_device);

  std::byte* data() const { return block_.get(); }
  std::size_t size() const { return size_; }
  explicit operator bool() const { return block_ != nullptr; }
  friend bool operator==(const Buffer& a, const Buffer& b) { return a.block_ == b.block_; }

 private:
  Buffer(std::shared_ptr<std::byte> block, std::size_t size)
      : block_(std::move(block)), size_(size) {}

  std::shared_ptr<std::byte> block_;
  std::size_t size_ = 0;
};

AllocatorStats allocator_stats(Device device = cpu_device);
/// The peak counts from what is in use now.
void reset_peak_memory(Device device = cpu_device);
/// Returns cached blocks to the system.
void release_cached_memory(Device device = cpu_device);

}  // namespace boostr
