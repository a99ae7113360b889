#include "kernels/runtime/buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

#include "kernels/runtime/block_source.h"
#include "kernels/runtime/error.h"
#include "kernels/runtime/host_memory.h"
#include "kernels/runtime/memory_ledger.h"

namespace boostr {
namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t huge_page = std::size_t{2} << 20;
constexpr std::size_t worth_asking = std::size_t{16} << 20;
constexpr std::size_t not_tensors = std::size_t{32} << 20;  ///< what else may come to need memory

/// Rounds up so that at most 1/8 and 2 MiB are wasted and sizes fall into few classes.
std::size_t size_class(std::size_t bytes) {
  const std::size_t step = std::clamp(std::bit_floor(bytes) / 8, alignment, huge_page);
  return (std::max<std::size_t>(bytes, 1) + step - 1) / step * step;
}

std::byte* allocate_from_system(std::size_t bytes) {
  const std::size_t whole_pages = bytes / huge_page * huge_page;
  if (whole_pages == 0) return static_cast<std::byte*>(std::aligned_alloc(alignment, bytes));
  const std::size_t padded = (bytes + huge_page - 1) / huge_page * huge_page;
  void* block = std::aligned_alloc(huge_page, padded);
  // Transparent huge pages are opt-in on common distributions; big tensors gain a few percent from
  // them. Not for the rest behind the last whole one, which would cost a page as large as what it
  // follows.
  if (block != nullptr) madvise(block, whole_pages, MADV_HUGEPAGE);
  return static_cast<std::byte*>(block);
}

/// Free blocks by size class. Lives for the whole process: tensors of static duration may outlast
/// main.
class CpuAllocator final : public BlockSource {
 public:
  static CpuAllocator& instance() {
    static auto* allocator = new CpuAllocator;
    return *allocator;
  }

  std::byte* allocate(std::size_t bytes) override {
    const std::scoped_lock lock(mutex_);
    ++stats_.requests;
    std::byte* block = take_cached(bytes);
    if (block == nullptr) block = take_from_system(bytes);
    count_in_use(bytes);
    return block;
  }

  std::byte* allocate_dedicated(std::size_t bytes) override {
    const std::scoped_lock lock(mutex_);
    ++stats_.requests;
    std::byte* block = take_from_system(bytes);
    count_in_use(bytes);
    return block;
  }

  void release(std::byte* block, std::size_t bytes) override {
    const std::scoped_lock lock(mutex_);
    free_[bytes].push_back(block);
    stats_.bytes_in_use -= bytes;
    stats_.bytes_cached += bytes;
  }

  void release_dedicated(std::byte* block, std::size_t bytes) override {
    const std::scoped_lock lock(mutex_);
    std::free(block);
    stats_.bytes_in_use -= bytes;
  }

  void release_cached() {
    const std::scoped_lock lock(mutex_);
    release_cached_locked();
  }

  void reset_peak() {
    const std::scoped_lock lock(mutex_);
    stats_.peak_bytes_in_use = stats_.bytes_in_use;
  }

  AllocatorStats stats() {
    const std::scoped_lock lock(mutex_);
    return stats_;
  }

 private:
  void count_in_use(std::size_t bytes) {
    stats_.bytes_in_use += bytes;
    stats_.peak_bytes_in_use = std::max(stats_.peak_bytes_in_use, stats_.bytes_in_use);
  }

  std::byte* take_cached(std::size_t bytes) {
    const auto found = free_.find(bytes);
    if (found == free_.end() || found->second.empty()) return nullptr;
    std::byte* block = found->second.back();
    found->second.pop_back();
    stats_.bytes_cached -= bytes;
    return block;
  }

  /// Whether there is memory for these bytes and for what is held but was never touched. Linux
  /// promises more than there is, and ends the process that comes to use it without a word.
  bool there_is(std::size_t bytes) const {
    const std::size_t held = stats_.bytes_in_use + stats_.bytes_cached;
    const std::size_t untouched = held - std::min(held, resident_memory().own);
    return bytes + untouched + not_tensors <= host_memory().available;
  }

  /// Null where there is no memory for it, which is looked at once in a while.
  std::byte* try_system(std::size_t bytes) {
    const bool asks = unasked_ + bytes >= worth_asking;
    if (asks && !there_is(bytes)) return nullptr;
    unasked_ = asks ? 0 : unasked_ + bytes;
    return allocate_from_system(bytes);
  }

  std::byte* take_from_system(std::size_t bytes) {
    ++stats_.system_allocations;
    std::byte* block = try_system(bytes);
    if (block == nullptr) {
      release_cached_locked();
      block = try_system(bytes);
    }
    require(block != nullptr, ExitCode::memory, "out of memory: cannot allocate ", bytes,
            " bytes beside the ", stats_.bytes_in_use,
            " in use; lower training.micro_batch_size or training.seq_len");
    return block;
  }

  void release_cached_locked() {
    for (auto& [bytes, blocks] : free_) {
      for (std::byte* block : blocks) std::free(block);
      blocks.clear();
    }
    stats_.bytes_cached = 0;
  }

  std::mutex mutex_;
  std::map<std::size_t, std::vector<std::byte*>> free_;
  AllocatorStats stats_;
  std::size_t unasked_ = 0;  ///< bytes taken from the system since it was asked
};

/// Gives a block back to where it came from, and its bytes back to the ledger.
struct Release {
  BlockSource& source;
  std::size_t rounded;
  bool dedicated;
  MemoryCharge charge;

  void operator()(std::byte* block) const {
    if (dedicated)
      source.release_dedicated(block, rounded);
    else
      source.release(block, rounded);
  }
};

}  // namespace

BlockSource*& block_source_of_this_thread() {
  thread_local BlockSource* source = &CpuAllocator::instance();
  return source;
}

Buffer::Buffer(std::size_t bytes, Device /*device*/) : size_(bytes) {
  const std::size_t rounded = size_class(bytes);
  BlockSource& source = *block_source_of_this_thread();
  block_ = std::shared_ptr<std::byte>(source.allocate(rounded),
                                      Release{source, rounded, false, MemoryCharge(bytes)});
}

Buffer Buffer::dedicated(std::size_t bytes, Device /*device*/) {
  const std::size_t rounded = size_class(bytes);
  BlockSource& source = *block_source_of_this_thread();
  return {std::shared_ptr<std::byte>(source.allocate_dedicated(rounded),
                                     Release{source, rounded, true, MemoryCharge(bytes)}),
          bytes};
}

AllocatorStats allocator_stats(Device /*device*/) { return CpuAllocator::instance().stats(); }

void reset_peak_memory(Device /*device*/) { CpuAllocator::instance().reset_peak(); }

void release_cached_memory(Device /*device*/) { CpuAllocator::instance().release_cached(); }

}  // namespace boostr
