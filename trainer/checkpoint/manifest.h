#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/runtime/dtype.h"
#include "trainer/checkpoint/checkpoint.h"

namespace boostr {

/// One dataset of a shard: what it holds, where its bytes stand in the file, and their XXH3-128.
struct TensorRecord {
  std::string group;
  std::string name;
  DType dtype = DType::f32;
  TensorRegion region;
  std::int64_t file_offset = 0;
  std::int64_t bytes = 0;
  std::string hash;
};

/// One file of a checkpoint's folder.
struct FileRecord {
  std::string name;
  std::int64_t bytes = 0;
  std::string hash;
  std::vector<TensorRecord> tensors;
};

/// The contents of manifest.json, which makes a folder a checkpoint: what belongs to it, with every
/// size and hash.
struct Manifest {
  std::string code_version;
  TrainingState state;            ///< its recipe is not in the manifest but in recipe.yaml
  std::vector<FileRecord> files;  ///< rank-00000.h5 ..., recipe.yaml
};

inline constexpr std::string_view manifest_name = "manifest.json";
inline constexpr std::string_view recipe_name = "recipe.yaml";
/// Folders whose manifest says a higher version are refused.
inline constexpr std::int64_t checkpoint_format_version = 1;

/// "rank-00007.h5".
std::string shard_name(int rank);

/// The manifest as JSON; its first member is the XXH3-128 of the whole text with that member's
/// digits as zeros.
std::string manifest_text(const Manifest& manifest);

/// Reads what manifest_text wrote. Every byte is covered by the hash; every number, name and region
/// is checked as well, so that a manifest made by somebody else cannot send the reader outside the
/// folder or a file. Throws Error(checkpoint).
Manifest parse_manifest(std::string_view text);

/// One file's record alone, as JSON on one line: what a rank tells rank 0 about its shard.
std::string record_text(const FileRecord& record);
FileRecord parse_record(std::string_view text);

}  // namespace boostr
