#pragma once

#include <cstddef>

namespace boostr {

/// Where the blocks of buffers come from and go back to. Sizes are the same at both ends.
class BlockSource {
 public:
  virtual ~BlockSource() = default;
  virtual std::byte* allocate(std::size_t bytes) = 0;
  virtual void release(std::byte* block, std::size_t bytes) = 0;
  /// For blocks that live long: never kept for others.
  virtual std::byte* allocate_dedicated(std::size_t bytes) = 0;
  virtual void release_dedicated(std::byte* block, std::size_t bytes) = 0;
};

/// What the calling thread's buffers are made from; the caching allocator unless it was replaced.
BlockSource*& block_source_of_this_thread();

}  // namespace boostr
