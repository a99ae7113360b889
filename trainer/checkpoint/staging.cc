#include "trainer/checkpoint/staging.h"

#include <sys/mman.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>
#include <utility>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t piece_bytes = std::size_t{4} << 20;
constexpr std::size_t page_bytes = 4096;

struct Piece {
  std::byte* to;
  const std::byte* from;
  std::size_t bytes;
};

std::size_t aligned(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

/// memcpy past the caches, to an aligned place: the copy is not read soon, and the lines it goes to
/// need not be read first, which saves a third of the memory's traffic.
void stream_copy(std::byte* to, const std::byte* from, std::size_t bytes) {
  std::size_t at = 0;
#if defined(__SSE2__)
  for (; at + alignment <= bytes; at += alignment) {
    for (std::size_t i = 0; i < alignment; i += sizeof(__m128i)) {
      const __m128i value = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + at + i));
      _mm_stream_si128(reinterpret_cast<__m128i*>(to + at + i), value);
    }
  }
  _mm_sfence();
#endif
  std::memcpy(to + at, from + at, bytes - at);
}

/// Threads take pieces in turn, so one that is held up elsewhere does not hold up the others.
void copy_pieces(const std::vector<Piece>& pieces, int num_threads) {
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < pieces.size(); i = next++)
      stream_copy(pieces[i].to, pieces[i].from, pieces[i].bytes);
  };
  std::vector<std::jthread> threads;
  const auto wanted =
      std::min<std::size_t>(static_cast<std::size_t>(std::max(1, num_threads)), pieces.size());
  for (std::size_t i = 1; i < wanted; ++i) threads.emplace_back(work);
  work();
}

}  // namespace

Staging::~Staging() { release(); }

void Staging::release() {
  if (memory_ != nullptr) ::munmap(memory_, bytes_);
  memory_ = nullptr;
  bytes_ = 0;
  charge_.reset();
}

void Staging::reserve(const std::vector<CheckpointTensor>& tensors) {
  std::size_t bytes = 0;
  for (const CheckpointTensor& tensor : tensors) bytes += aligned(In(tensor.local).bytes());
  if (bytes <= bytes_) return;
  release();  // first give back, then take: never both at a time
  // Not a Buffer: its huge pages cost a long compaction when memory is full of cached files, as it
  // is after a save.
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  require(
      memory != MAP_FAILED, ExitCode::memory, "out of memory: cannot allocate ", bytes,
      " bytes to copy the checkpoint to; set checkpoint.async: false, which writes without a copy");
  const CountMemoryAs scope(MemoryUse::checkpoint);
  charge_.emplace(bytes);
  memory_ = static_cast<std::byte*>(memory);
  bytes_ = bytes;
}

void Staging::populate() {
  for (std::size_t at = 0; at < bytes_; at += page_bytes) memory_[at] = std::byte{0};
}

std::vector<CheckpointTensor> Staging::copy(const std::vector<CheckpointTensor>& tensors,
                                            int num_threads) {
  reserve(tensors);
  std::vector<CheckpointTensor> staged = tensors;
  std::vector<Piece> pieces;
  std::byte* to = memory_;
  for (CheckpointTensor& tensor : staged) {
    const std::size_t bytes = In(tensor.local).bytes();
    const auto* from = tensor.local.as<const std::byte>();
    for (std::size_t at = 0; at < bytes; at += piece_bytes) {
      pieces.push_back({to + at, from + at, std::min(piece_bytes, bytes - at)});
    }
    tensor.local.data = to;
    to += aligned(bytes);
  }
  copy_pieces(pieces, num_threads);
  return staged;
}

}  // namespace boostr
