#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "trainer/checkpoint/file_ops.h"

namespace boostr {

/// A file that is read by position, not mapped: a file truncated meanwhile is an Error, not a
/// SIGBUS. Regular files only; a link is not followed. Every failure throws Error(checkpoint).
class FileToRead {
 public:
  explicit FileToRead(const std::filesystem::path& path);
  const std::filesystem::path& path() const { return file_.path(); }
  /// Bytes, when it was opened.
  std::int64_t size() const { return size_; }
  void read(std::int64_t offset, void* to, std::int64_t bytes) const;
  /// XXH3-128 of `bytes` bytes from `offset` on.
  std::string hash(std::int64_t offset, std::int64_t bytes) const;

 private:
  File file_;
  std::int64_t size_;
};

}  // namespace boostr
