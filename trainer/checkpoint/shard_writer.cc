#include "trainer/checkpoint/shard_writer.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "trainer/checkpoint/hash.h"
#include "trainer/checkpoint/hdf5_layout.h"
#include "trainer/checkpoint/tensor_region.h"

namespace boostr {
namespace {

static_assert(std::endian::native == std::endian::little,
              "shards hold the host's bytes and say little-endian");

/// Small enough that a chunk is still in the cache when it is written after being hashed.
constexpr std::int64_t chunk_bytes = std::int64_t{1} << 20;

/// Appends to a file, hashing all that passes.
class HashedFile {
 public:
  HashedFile(const FileOps& ops, const File& file) : ops_(ops), file_(file) {}

  std::int64_t size() const { return size_; }
  std::string digest() const { return hash_.digest(); }

  /// Appends and returns the hash of these bytes alone.
  std::string append_tensor(const std::byte* data, std::int64_t bytes) {
    Hash128 own;
    for (std::int64_t at = 0; at < bytes; at += chunk_bytes) {
      const std::int64_t count = std::min(chunk_bytes, bytes - at);
      own.update(data + at, static_cast<std::size_t>(count));
      append(data + at, count);
    }
    return own.digest();
  }

  /// Appends the metadata up to byte `end` of the file.
  void append_metadata(const MemoryFile& metadata, std::int64_t end) {
    std::vector<std::byte> chunk;
    while (size_ < end) {
      chunk.resize(static_cast<std::size_t>(std::min(chunk_bytes, end - size_)));
      metadata.read(static_cast<std::uint64_t>(size_), chunk.data(), chunk.size());
      append(chunk.data(), static_cast<std::int64_t>(chunk.size()));
    }
  }

 private:
  void append(const std::byte* data, std::int64_t bytes) {
    hash_.update(data, static_cast<std::size_t>(bytes));
    ops_.write(file_, data, bytes, size_);
    size_ += bytes;
  }

  const FileOps& ops_;
  const File& file_;
  Hash128 hash_;
  std::int64_t size_ = 0;
};

TensorRecord describe(const CheckpointTensor& tensor, std::int64_t file_offset) {
  return {.group = tensor.group,
          .name = tensor.name,
          .dtype = tensor.local.dtype,
          .region = tensor.region(),
          .file_offset = file_offset,
          .bytes = static_cast<std::int64_t>(In(tensor.local).bytes()),
          .hash = ""};
}

/// Room for the file itself and a tenth more: what is being written elsewhere must not fill the
/// disk meanwhile.
std::int64_t wanted_space(std::int64_t bytes) { return bytes + bytes / 10; }

}  // namespace

void check_tensors(const std::vector<CheckpointTensor>& tensors) {
  const auto is_path = [](const std::string& path) {
    return !path.empty() && path.front() != '/' && path.back() != '/' &&
           path.find('\0') == std::string::npos;
  };
  std::set<std::pair<std::string, std::string>> names;
  for (const CheckpointTensor& tensor : tensors) {
    const std::string full = tensor.group + "/" + tensor.name;
    expect(is_path(tensor.group) && is_path(tensor.name) &&
               tensor.name.find('/') == std::string::npos && tensor.name != ".",
           "checkpoint: '", full, "' cannot be the name of a dataset");
    const std::string fault = region_fault(tensor.region());
    expect(fault.empty(), "checkpoint: ", full, ": ", fault);
    expect(names.emplace(tensor.group, tensor.name).second, "checkpoint: this rank gives ", full,
           " twice; a rank's part of a tensor must be one region");
  }
}

FileRecord write_shard(const FileOps& ops, const std::filesystem::path& path,
                       const std::vector<CheckpointTensor>& tensors) {
  check_tensors(tensors);
  const ShardLayout layout = lay_out_shard(tensors);
  ops.require_space(path.parent_path(), wanted_space(layout.bytes));
  FileRecord record{
      .name = path.filename().string(), .bytes = layout.bytes, .hash = "", .tensors = {}};
  for (std::size_t i = 0; i < tensors.size(); ++i)
    record.tensors.push_back(describe(tensors[i], layout.offsets[i]));

  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return layout.offsets[i]; });
  {
    const File file = ops.create(path);
    ops.allocate(file, layout.bytes);
    HashedFile out(ops, file);
    for (const std::size_t i : order) {
      TensorRecord& tensor = record.tensors[i];
      if (tensor.bytes > 0) out.append_metadata(layout.metadata, tensor.file_offset);
      expect(tensor.bytes == 0 || out.size() == tensor.file_offset, "checkpoint: datasets of ",
             record.name, " overlap");
      tensor.hash = out.append_tensor(tensors[i].local.as<std::byte>(), tensor.bytes);
    }
    out.append_metadata(layout.metadata, layout.bytes);
    record.hash = out.digest();
    ops.sync(file);
  }
  ops.sync_folder(path.parent_path());
  return record;
}

}  // namespace boostr
