#include "parallel/comm/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

/// Maps `bytes` of a descriptor, or private memory for -1; null if the system refuses.
std::shared_ptr<std::byte> map(int descriptor, std::size_t bytes) {
  const int flags = descriptor < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  void* address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, descriptor, 0);
  if (address == MAP_FAILED) return nullptr;
  return {static_cast<std::byte*>(address), [bytes](std::byte* base) { munmap(base, bytes); }};
}

Error refused(std::size_t bytes) {
  return {ExitCode::memory, text("cannot map ", bytes, " bytes of shared memory: ",
                                 std::strerror(errno), "; free memory or use a smaller model")};
}

}  // namespace

SharedSegments private_segments(int count, std::size_t bytes) {
  const std::size_t stride = (bytes + 63) / 64 * 64;
  std::shared_ptr<std::byte> memory = map(-1, stride * static_cast<std::size_t>(count));
  if (!memory) throw refused(stride * static_cast<std::size_t>(count));
  SharedSegments segments{.base = {}, .bytes = bytes, .owner = memory};
  for (int i = 0; i < count; ++i) {
    segments.base.push_back(memory.get() + static_cast<std::size_t>(i) * stride);
  }
  return segments;
}

SharedMemory::SharedMemory(std::size_t bytes) : descriptor_(memfd_create("boostr", MFD_CLOEXEC)) {
  if (descriptor_ < 0 || ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0) {
    const Error error = refused(bytes);
    if (descriptor_ >= 0) close(descriptor_);
    throw error;
  }
  mapping_ = map(descriptor_, bytes);
  if (!mapping_) {
    const Error error = refused(bytes);
    close(descriptor_);
    throw error;
  }
}

SharedMemory::~SharedMemory() { close(descriptor_); }

std::shared_ptr<std::byte> SharedMemory::open(int process, int descriptor, std::size_t bytes) {
  const std::string path = text("/proc/", process, "/fd/", descriptor);
  const int opened = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (opened < 0) return nullptr;
  struct stat status {};
  const bool same_size = fstat(opened, &status) == 0 && std::cmp_equal(status.st_size, bytes);
  std::shared_ptr<std::byte> mapping = same_size ? map(opened, bytes) : nullptr;
  close(opened);
  return mapping;
}

}  // namespace boostr
