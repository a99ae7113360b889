#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "kernels/runtime/error.h"

namespace boostr {

/// The kinds of system call that FileOps makes.
enum class FileOp {
  make_folder,
  space,
  create,
  allocate,
  write,
  sync,
  rename,
  sync_folder,
  remove
};

/// Asked before every call of a FileOps: 0 lets it happen, an errno value makes it fail with that
/// error. For tests, which fail the n-th write or kill the process at it.
using FileFault = std::function<int(FileOp, const std::filesystem::path&)>;

/// A file descriptor, closed by the destructor.
class File {
 public:
  File(std::filesystem::path path, int descriptor) : path_(std::move(path)), fd_(descriptor) {}
  File(File&& other) noexcept;
  File& operator=(File&& other) = delete;
  ~File();
  const std::filesystem::path& path() const { return path_; }
  int descriptor() const { return fd_; }

 private:
  std::filesystem::path path_;
  int fd_;
};

/// The system calls that files are made durable with. Every return is checked; a failure throws
/// Error(checkpoint) with the path, the system's reason and what to do. A write beyond the
/// process's file size limit fails like any other, without SIGXFSZ.
class FileOps {
 public:
  explicit FileOps(FileFault fault = {}) : fault_(std::move(fault)) {}

  /// Makes the folder and its parents; fine if it exists.
  void make_folder(const std::filesystem::path& folder) const;
  /// Throws unless the folder's file system has more than `bytes` free for this user.
  void require_space(const std::filesystem::path& folder, std::int64_t bytes) const;
  /// Creates the file anew for writing: one that exists is removed first, a link is never followed.
  File create(const std::filesystem::path& path) const;
  /// Reserves the file's first `bytes` on the disk, so that a full disk shows before anything is
  /// written. Where the file system cannot reserve, only sets the size.
  void allocate(const File& file, std::int64_t bytes) const;
  void write(const File& file, const void* data, std::int64_t bytes, std::int64_t offset) const;
  /// The file's bytes reach the disk.
  void sync(const File& file) const;
  /// The folder's names reach the disk.
  void sync_folder(const std::filesystem::path& folder) const;
  void rename(const std::filesystem::path& from, const std::filesystem::path& to) const;
  /// Gives folder `from` the name `to`; a folder that had it gets the name `from`, in one step
  /// where the system can.
  void exchange(const std::filesystem::path& from, const std::filesystem::path& to) const;
  /// Removes the file or folder with all it holds; links inside are removed, not followed.
  void remove_all(const std::filesystem::path& path) const;

 private:
  void before(FileOp op, const std::filesystem::path& path, std::string_view doing) const;
  [[noreturn]] void fail(std::string_view doing, const std::filesystem::path& path,
                         int error) const;

  FileFault fault_;
};

/// Replaces the file's contents in one step: a crash leaves the old or the new text, never a
/// mixture. Writes a temporary file beside it, syncs, renames, syncs the folder. For manifests,
/// recipes, pictures.
void write_file_atomically(const std::filesystem::path& path, std::string_view contents,
                           const FileOps& ops = FileOps());

}  // namespace boostr
