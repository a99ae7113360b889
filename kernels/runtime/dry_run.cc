#include "kernels/runtime/dry_run.h"

#include <sys/mman.h>

#include <cstring>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "kernels/kernel_event.h"
#include "kernels/kernel_stand_in.h"
#include "kernels/runtime/error.h"

namespace boostr {
namespace {

/// Addresses without memory: a page becomes real when something is written to it. Blocks are kept
/// for the next of their size, because the system takes long to give and take them.
class AddressSource final : public BlockSource {
 public:
  static AddressSource& instance() {
    static auto* source = new AddressSource;  // buffers may outlive main
    return *source;
  }

  std::byte* allocate(std::size_t bytes) override {
    std::byte* const block = take(bytes);
    // What host code reads is small; larger blocks may hold what it wrote to their predecessors.
    if (bytes <= read_by_hosts) std::memset(block, 0, bytes);
    return block;
  }
  void release(std::byte* block, std::size_t bytes) override {
    const std::scoped_lock lock(mutex_);
    free_[bytes].push_back(block);
  }
  std::byte* allocate_dedicated(std::size_t bytes) override { return allocate(bytes); }
  void release_dedicated(std::byte* block, std::size_t bytes) override { release(block, bytes); }

  /// Gives all free blocks back.
  void trim() {
    const std::scoped_lock lock(mutex_);
    for (const auto& [bytes, blocks] : free_)
      for (std::byte* const block : blocks) munmap(block, bytes);
    free_.clear();
  }

 private:
  static constexpr std::size_t read_by_hosts = std::size_t{64} << 10;

  std::byte* take(std::size_t bytes) {
    const std::scoped_lock lock(mutex_);
    std::vector<std::byte*>& blocks = free_[bytes];
    if (!blocks.empty()) {
      std::byte* const block = blocks.back();
      blocks.pop_back();
      return block;
    }
    void* const block = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    require(block != MAP_FAILED, ExitCode::memory, "out of addresses: the system refuses ", bytes,
            " bytes of them, without memory");
    // One word must not become two megabytes.
    madvise(block, bytes, MADV_NOHUGEPAGE);
    return static_cast<std::byte*>(block);
  }

  std::mutex mutex_;
  std::map<std::size_t, std::vector<std::byte*>> free_;
};

thread_local KernelStandIn noting;

/// Rows that take workspace, which their kernels alone know the size of: they are called on a dry
/// stream, where they do nothing else.
constexpr bool takes_workspace(std::string_view row) {
  for (const std::string_view one :
       {"gemm", "attention", "attention_grad", "rms_norm_grad_weight", "layer_norm_grad_weight",
        "sum_rows", "reduce", "all_finite", "softmax"})
    if (one == row) return true;
  return false;
}

template <auto row>
struct Dry;

template <class Result, class... Args, Result (*KernelTable::*row)(Stream&, Args...)>
struct Dry<row> {
  static Result call(Stream& stream, Args... args) {
    noting.timeline->add(kernel_event<row>(args...));
    if constexpr (takes_workspace(kernel_name<row>)) (noting.kernels->*row)(stream, args...);
    return Result();
  }
};

}  // namespace

DryRun::DryRun(Timeline& timeline, int num_threads, Device device)
    : device_(device),
      stream_before_(std::exchange(current_stream(device), Stream::dry(device, num_threads))),
      source_before_(std::exchange(block_source_of_this_thread(), &AddressSource::instance())) {
  noting.begin<Dry>(timeline, device);
}

DryRun::~DryRun() {
  noting.end(device_);
  block_source_of_this_thread() = source_before_;
  current_stream(device_) = std::move(stream_before_);
  AddressSource::instance().trim();
}

}  // namespace boostr
