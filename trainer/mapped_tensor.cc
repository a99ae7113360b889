#include "trainer/mapped_tensor.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "kernels/runtime/memory_ledger.h"

namespace boostr {
namespace {

/// A file without a name, closed at the end of its scope; a mapping outlives that.
class NamelessFile {
 public:
  explicit NamelessFile(const std::string& folder) {
    std::string path = folder + "/boostr-offload-XXXXXX";
    descriptor_ = mkostemp(path.data(), O_CLOEXEC);
    require(descriptor_ >= 0, ExitCode::usage, "parallelism.offload_path: cannot make a file in '",
            folder, "': ", std::strerror(errno), "; name a folder that exists and is writable");
    unlink(path.c_str());
  }
  NamelessFile(const NamelessFile&) = delete;
  NamelessFile& operator=(const NamelessFile&) = delete;
  ~NamelessFile() { close(descriptor_); }
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
};

struct Mapping {
  Mapping(const NamelessFile& file, std::size_t bytes)
      : charge(bytes),
        bytes(bytes),
        address(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor(), 0)) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (address != MAP_FAILED) munmap(address, bytes);
  }

  MemoryCharge charge;
  std::size_t bytes;
  void* address;
};

}  // namespace

Tensor mapped_zeros(const std::string& folder, std::int64_t numel, DType dtype) {
  const CountMemoryAs scope(MemoryUse::offload);
  const std::size_t bytes = static_cast<std::size_t>(numel) * size_of(dtype);
  const NamelessFile file(folder);
  // Without this a full disk would end the process when a page is written.
  const int refused = posix_fallocate(file.descriptor(), 0, static_cast<off_t>(bytes));
  require(refused == 0, ExitCode::memory, "parallelism.offload_path: cannot reserve ", bytes,
          " bytes more in '", folder, "': ", std::strerror(refused),
          "; free space there or name another folder");
  auto mapping = std::make_shared<Mapping>(file, bytes);
  require(mapping->address != MAP_FAILED, ExitCode::memory, "parallelism.offload_path: cannot map ",
          bytes, " bytes of a file in '", folder, "': ", std::strerror(errno));
  void* address = mapping->address;
  return Tensor::over({address, dtype, Shape{numel}}, std::move(mapping));
}

void let_go(const Tensor& mapped) {
  const In bytes = mapped.in();
  // Of a shared mapping this drops the pages' place in memory, not what was written to them.
  madvise(const_cast<void*>(bytes.data), bytes.bytes(), MADV_DONTNEED);
}

}  // namespace boostr
