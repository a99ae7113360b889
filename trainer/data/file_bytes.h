#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace boostr {

/// The contents of one input file: mapped read-only, or held in memory (small files, decompressed
/// or encoded text). Shared by the token blocks that point into it.
class FileBytes {
 public:
  /// Takes `contents`, made from the file `path`, which errors will name.
  FileBytes(std::string path, std::vector<std::byte> contents);
  /// Maps the open file `descriptor` of `size` bytes; the caller closes it.
  FileBytes(std::string path, int descriptor, std::size_t size);
  ~FileBytes();
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return bytes_; }
  bool is_mapped() const { return mapped_; }

  /// Throws Error(data) if the mapped file has been shortened since it was opened: reading the
  /// missing pages would end the process by SIGBUS. Call before every read (about a microsecond); a
  /// file cut short during the read itself still ends in SIGBUS. A file that was deleted or
  /// replaced is no matter, the mapping keeps the old one.
  void check_not_truncated() const;

 private:
  std::string path_;
  std::vector<std::byte> owned_;
  std::span<const std::byte> bytes_;
  bool mapped_ = false;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

/// The bytes of the file at `path`. Throws Error(data) if it cannot be read.
std::shared_ptr<const FileBytes> open_file(const std::string& path);

/// As open_file, and decompressed if `path` ends in .gz or .zst.
std::shared_ptr<const FileBytes> open_text_file(const std::string& path);

}  // namespace boostr
