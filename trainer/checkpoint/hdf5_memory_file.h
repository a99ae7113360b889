#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

namespace boostr {

/// The bytes that the HDF5 library writes into one file, kept in memory by page; bytes never
/// written are zero and take no room. The library lays a shard out in such a file: its writes
/// cannot fail half way, which 1.10 does not survive (it reports success, or crashes at exit), and
/// the tensors' bytes, which it only reserves, never pass through it.
class MemoryFile {
 public:
  void write(std::uint64_t address, const void* from, std::size_t bytes);
  void read(std::uint64_t address, void* to, std::size_t bytes) const;
  std::uint64_t size() const { return size_; }
  void resize(std::uint64_t bytes) { size_ = bytes; }

 private:
  static constexpr std::size_t page_bytes = 16384;
  using Page = std::array<std::byte, page_bytes>;

  std::map<std::uint64_t, std::unique_ptr<Page>> pages_;
  std::uint64_t size_ = 0;
};

/// The HDF5 file driver that keeps a file in a MemoryFile. Its id is valid while this lives.
class MemoryFileDriver {
 public:
  MemoryFileDriver();
  MemoryFileDriver(const MemoryFileDriver&) = delete;
  MemoryFileDriver& operator=(const MemoryFileDriver&) = delete;
  ~MemoryFileDriver();
  /// Makes files opened with the file access property list `access` live in `file`, which must
  /// outlive them.
  void select(std::int64_t access, MemoryFile& file) const;

 private:
  std::int64_t id_;
};

}  // namespace boostr
