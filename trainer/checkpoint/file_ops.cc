#include "trainer/checkpoint/file_ops.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <system_error>
#include <utility>

namespace boostr {
namespace fs = std::filesystem;

namespace {

/// Holds SIGXFSZ back from this thread, so that exceeding `ulimit -f` is the error EFBIG instead of
/// the process's death.
class FileSizeSignalBlocked {
 public:
  FileSizeSignalBlocked() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  }
  FileSizeSignalBlocked(const FileSizeSignalBlocked&) = delete;
  FileSizeSignalBlocked& operator=(const FileSizeSignalBlocked&) = delete;
  ~FileSizeSignalBlocked() {
    if (sigismember(&before_, SIGXFSZ) == 1) return;
    const int error = errno;
    const timespec now{};
    while (sigtimedwait(&signals_, nullptr, &now) == SIGXFSZ) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = error;
  }

 private:
  sigset_t signals_;
  sigset_t before_;
};

std::string_view advice(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "; free space there, choose another disk for output, or lower "
             "checkpoint.keep_latest_k";
    case EFBIG:
      return "; raise the file size limit of this process (ulimit -f)";
    case EACCES:
    case EPERM:
    case EROFS:
      return "; make it writable for this user or choose another output";
    case EIO:
      return "; the disk reports a fault, see the system's log";
    default:
      return "";
  }
}

}  // namespace

File::File(File&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

void FileOps::fail(std::string_view doing, const fs::path& path, int error) const {
  throw Error(ExitCode::checkpoint, text("cannot ", doing, " ", path.string(), ": ",
                                         std::generic_category().message(error), advice(error)));
}

void FileOps::before(FileOp op, const fs::path& path, std::string_view doing) const {
  const int error = fault_ ? fault_(op, path) : 0;
  if (error != 0) fail(doing, path, error);
}

void FileOps::make_folder(const fs::path& folder) const {
  before(FileOp::make_folder, folder, "make folder");
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error && !fs::is_directory(folder, error))
    error = std::make_error_code(std::errc::not_a_directory);
  if (error) fail("make folder", folder, error.value());
}

void FileOps::require_space(const fs::path& folder, std::int64_t bytes) const {
  constexpr std::string_view doing = "ask for the free space of";
  before(FileOp::space, folder, doing);
  struct statvfs stats {};
  if (::statvfs(folder.c_str(), &stats) != 0) fail(doing, folder, errno);
  const auto free_bytes = static_cast<double>(stats.f_bavail) * static_cast<double>(stats.f_frsize);
  require(free_bytes > static_cast<double>(bytes), ExitCode::checkpoint, "not enough space for ",
          folder.string(), ": ", bytes, " bytes are needed, ",
          static_cast<std::int64_t>(free_bytes), " are free", advice(ENOSPC));
}

File FileOps::create(const fs::path& path) const {
  before(FileOp::create, path, "create");
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) fail("replace", path, errno);
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) fail("create", path, errno);
  return File(path, fd);
}

void FileOps::allocate(const File& file, std::int64_t bytes) const {
  before(FileOp::allocate, file.path(), "reserve space for");
  if (bytes == 0) return;
  const FileSizeSignalBlocked blocked;
  // fallocate rather than posix_fallocate: glibc emulates the latter by writing every block where
  // it is unsupported.
  int result = 0;
  do {
    result = ::fallocate(file.descriptor(), 0, 0, bytes);
  } while (result != 0 && errno == EINTR);
  if (result != 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
    result = ::ftruncate(file.descriptor(), bytes);
  if (result != 0) fail(text("reserve ", bytes, " bytes for"), file.path(), errno);
}

void FileOps::write(const File& file, const void* data, std::int64_t bytes,
                    std::int64_t offset) const {
  before(FileOp::write, file.path(), "write");
  const FileSizeSignalBlocked blocked;
  const auto* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written =
        ::pwrite(file.descriptor(), from, static_cast<std::size_t>(bytes), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0)
      fail(text("write at byte ", offset, " of"), file.path(), written < 0 ? errno : ENOSPC);
    from += written;
    offset += written;
    bytes -= written;
  }
}

void FileOps::sync(const File& file) const {
  before(FileOp::sync, file.path(), "sync");
  if (::fsync(file.descriptor()) != 0) fail("sync", file.path(), errno);
}

void FileOps::sync_folder(const fs::path& folder) const {
  before(FileOp::sync_folder, folder, "sync folder");
  const File opened(folder, ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.descriptor() < 0) fail("open folder", folder, errno);
  // Some network file systems cannot sync a folder (EINVAL); their renames are durable on the
  // server.
  if (::fsync(opened.descriptor()) != 0 && errno != EINVAL) fail("sync folder", folder, errno);
}

void FileOps::rename(const fs::path& from, const fs::path& to) const {
  before(FileOp::rename, to, "rename to");
  if (::rename(from.c_str(), to.c_str()) != 0) fail("rename to", to, errno);
}

void FileOps::exchange(const fs::path& from, const fs::path& to) const {
  before(FileOp::rename, to, "rename to");
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return;
  if (errno == EEXIST &&
      ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0)
    return;
  if (errno != EINVAL && errno != ENOSYS) fail("rename to", to, errno);
  fs::path aside = from;
  aside += ".old";
  const bool taken = ::rename(to.c_str(), aside.c_str()) == 0;
  if (!taken && errno != ENOENT) fail("rename", to, errno);
  if (::rename(from.c_str(), to.c_str()) != 0) fail("rename to", to, errno);
  if (taken && ::rename(aside.c_str(), from.c_str()) != 0) fail("rename to", from, errno);
}

void FileOps::remove_all(const fs::path& path) const {
  before(FileOp::remove, path, "remove");
  std::error_code error;
  fs::remove_all(path, error);
  if (error) fail("remove", path, error.value());
}

void write_file_atomically(const fs::path& path, std::string_view contents, const FileOps& ops) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const fs::path temporary = folder / (".tmp-" + path.filename().string());
  {
    const File file = ops.create(temporary);
    ops.write(file, contents.data(), static_cast<std::int64_t>(contents.size()), 0);
    ops.sync(file);
  }
  ops.rename(temporary, path);
  ops.sync_folder(folder);
}

}  // namespace boostr
