#include "trainer/data/file_bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "kernels/runtime/error.h"
#include "trainer/data/decompress.h"

namespace boostr {
namespace {

/// Smaller files are read: a mapping costs a page of address space each, and a process may have
/// only 65530 of them.
constexpr std::size_t smallest_mapping = 256 << 10;

/// A file descriptor that closes itself.
struct Descriptor {
  int value;
  explicit Descriptor(int descriptor) : value(descriptor) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value >= 0) close(value);
  }
};

[[noreturn]] void cannot_read(const std::string& path) {
  throw Error(ExitCode::data, text("cannot read '", path, "': ", std::strerror(errno)));
}

std::vector<std::byte> read_all(const std::string& path, int descriptor, std::size_t size) {
  std::vector<std::byte> contents(size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = read(descriptor, contents.data() + done, size - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) cannot_read(path);
    require(count > 0, ExitCode::data, "'", path, "' was cut short while it was read: ", done,
            " of ", size, " bytes");
    done += static_cast<std::size_t>(count);
  }
  return contents;
}

}  // namespace

FileBytes::FileBytes(std::string path, std::vector<std::byte> contents)
    : path_(std::move(path)), owned_(std::move(contents)), bytes_(owned_) {}

FileBytes::FileBytes(std::string path, int descriptor, std::size_t size)
    : path_(std::move(path)), mapped_(true) {
  struct stat info;
  if (fstat(descriptor, &info) != 0) cannot_read(path_);
  device_ = info.st_dev;
  inode_ = info.st_ino;
  void* start = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (start == MAP_FAILED) cannot_read(path_);
  bytes_ = {static_cast<const std::byte*>(start), size};
}

FileBytes::~FileBytes() {
  if (mapped_) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void FileBytes::check_not_truncated() const {
  struct stat info;
  if (!mapped_ || stat(path_.c_str(), &info) != 0) return;
  if (info.st_dev != device_ || info.st_ino != inode_) return;
  require(info.st_size >= 0 && static_cast<std::size_t>(info.st_size) >= bytes_.size(),
          ExitCode::data, "'", path_, "' was cut short while it was in use: it had ", bytes_.size(),
          " bytes and has ", info.st_size, "; restore it and resume");
}

std::shared_ptr<const FileBytes> open_file(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info;
  if (file.value < 0 || fstat(file.value, &info) != 0) cannot_read(path);
  require(S_ISREG(info.st_mode), ExitCode::data, "'", path, "' is not a regular file");
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size >= smallest_mapping) return std::make_shared<FileBytes>(path, file.value, size);
  return std::make_shared<FileBytes>(path, read_all(path, file.value, size));
}

std::shared_ptr<const FileBytes> open_text_file(const std::string& path) {
  const auto file = open_file(path);
  if (path.ends_with(".gz")) {
    return std::make_shared<FileBytes>(path, decompress_gzip(file->bytes(), path));
  }
  if (path.ends_with(".zst")) {
    return std::make_shared<FileBytes>(path, decompress_zstd(file->bytes(), path));
  }
  return file;
}

}  // namespace boostr
