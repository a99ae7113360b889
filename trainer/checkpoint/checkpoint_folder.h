#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "trainer/checkpoint/file_ops.h"
#include "trainer/checkpoint/manifest.h"

namespace boostr {

/// A committed checkpoint's folder, `checkpoints/step-000050`.
struct CheckpointFolder {
  std::filesystem::path path;
  std::int64_t step = 0;
};

/// The committed checkpoints in `checkpoints`, newest (highest step) first. Looks at names only.
std::vector<CheckpointFolder> find_checkpoints(const std::filesystem::path& checkpoints);

std::filesystem::path step_folder(const std::filesystem::path& checkpoints, std::int64_t step);
/// Where a checkpoint grows until it is committed: `checkpoints/.tmp-step-000050`.
std::filesystem::path temporary_folder(const std::filesystem::path& checkpoints, std::int64_t step);

/// The folder's manifest, itself verified. Throws Error(checkpoint).
Manifest read_manifest(const std::filesystem::path& folder);
/// Throws Error(checkpoint) unless the file has the recorded size.
void verify_size(const std::filesystem::path& folder, const FileRecord& file);
/// Throws Error(checkpoint), naming file and damaged tensors, unless the file has the recorded size
/// and hash.
void verify_file(const std::filesystem::path& folder, const FileRecord& file);
/// The manifest of a folder of which every byte is verified. Throws Error(checkpoint).
Manifest verify_checkpoint(const std::filesystem::path& folder);

/// Makes the temporary folder, whose files are written and synced, a checkpoint: manifest, rename,
/// sync. A checkpoint of the same step is replaced in one step. On return the new one survives any
/// crash. Rank 0 only.
void commit_checkpoint(const FileOps& ops, const std::filesystem::path& checkpoints,
                       const Manifest& manifest);

/// Takes out of service, by renaming to `.trash-*`, what is not to be kept beside the checkpoint
/// just committed at `step`: all but the newest `keep` up to that step (0: none), and those of
/// later steps, which an earlier course of the run left. The one at `step` always stays, and
/// nothing goes unless its files have their sizes. Returns the folders to remove. Rank 0 only.
std::vector<std::filesystem::path> retire_checkpoints(const FileOps& ops,
                                                      const std::filesystem::path& checkpoints,
                                                      std::int64_t step, int keep);

/// Removes what was retired, once its new names are on the disk.
void remove_retired(const FileOps& ops, const std::vector<std::filesystem::path>& folders);

/// Removes checkpoints of steps after `step`: the run continues from there on another course. Rank
/// 0, under the run's lock.
void discard_later_checkpoints(const FileOps& ops, const std::filesystem::path& checkpoints,
                               std::int64_t step);

/// Removes what a killed run left (`.tmp-*`, `.trash-*`). Rank 0, under the run's lock.
void clean_leftovers(const FileOps& ops, const std::filesystem::path& checkpoints);

}  // namespace boostr
