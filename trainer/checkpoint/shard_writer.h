#pragma once

#include <filesystem>
#include <vector>

#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/file_ops.h"
#include "trainer/checkpoint/manifest.h"

namespace boostr {

/// Writes one rank's tensors as an HDF5 file in the existing folder `path.parent_path()`, hashing
/// what it writes from memory, and syncs file and folder. Space is reserved first, so a full disk
/// shows before any byte is written. The library lays the file out in memory; the bytes are written
/// by ours, so no failure can leave the library in a broken state. Throws Error(checkpoint); then
/// the file may be left incomplete.
FileRecord write_shard(const FileOps& ops, const std::filesystem::path& path,
                       const std::vector<CheckpointTensor>& tensors);

/// Throws an internal Error unless the tensors can be written: names that are dataset names,
/// regions inside their tensors, no name twice.
void check_tensors(const std::vector<CheckpointTensor>& tensors);

}  // namespace boostr
