#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "parallel/comm/communicator.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/file_ops.h"
#include "trainer/checkpoint/manifest.h"
#include "trainer/checkpoint/staging.h"

namespace boostr {

struct CheckpointOptions {
  std::filesystem::path folder;  ///< "<output>/checkpoints", made by rank 0 when the writer is made
  int keep_latest_k = 3;         ///< committed checkpoints that stay; 0: all
  int copy_threads = 2;          ///< threads that begin() copies on
  std::string code_version;
  FileOps files;
};

/// How far this rank's part of the save under way is.
enum class SaveStatus : std::uint8_t { idle, writing, written, failed };

/// What a commit did, alike on every rank.
struct CommitReport {
  std::int64_t step = 0;
  std::filesystem::path folder;  ///< the checkpoint, durable now
  std::int64_t bytes = 0;        ///< of all its files
  std::vector<std::string>
      warnings;  ///< what went wrong with older checkpoints' removal; the new one is not affected
};

/// Saves checkpoints of a run, one HDF5 file per rank. In the background:
///     writer.begin(tensors, state);                              // copies; training goes on
///     ... every step: all-reduce the minimum of writer.done() ...
///     writer.commit();                                           // when all ranks are done
/// or at once: writer.save(tensors, state). The checkpoint exists when commit or save returns; a
/// crash at any instruction before leaves the older ones as they were. A failure anywhere throws
/// the same Error(checkpoint) on every rank, removes what was written, and leaves the writer ready
/// for another try. Used by one thread per rank.
class CheckpointWriter {
 public:
  /// Collective. Removes what a killed run left in the folder: take the run's lock before.
  CheckpointWriter(Communicator& world, CheckpointOptions options);
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;
  /// Waits for the background thread. What was not committed is not a checkpoint; the next start
  /// removes it.
  ~CheckpointWriter() = default;

  /// Takes the memory that begin() copies such tensors to, in the background: call before training,
  /// lest the first begin() be slower than the others. No communication. Throws Error(memory).
  void reserve(const std::vector<CheckpointTensor>& tensors);

  /// Copies this rank's tensors, whose shards together must hold every element once, and starts
  /// writing them in the background. No communication. Call only when idle. Throws Error(memory)
  /// when the copy has no room.
  void begin(const std::vector<CheckpointTensor>& tensors, const TrainingState& state);
  SaveStatus status() const { return status_.load(std::memory_order_acquire); }
  /// Whether a save was begun and this rank's part has ended, well or not.
  bool done() const { return status() == SaveStatus::written || status() == SaveStatus::failed; }
  /// Why the save failed; "" unless status() is failed.
  std::string failure() const { return status() == SaveStatus::failed ? failure_ : ""; }
  /// Returns when this rank's part has ended. No communication.
  void wait();
  /// Collective: waits for every rank's part and makes it a checkpoint, or throws on every rank.
  /// Then idle again.
  CommitReport commit();

  /// Collective: begin, wait and commit in one, without the copy.
  CommitReport save(const std::vector<CheckpointTensor>& tensors, const TrainingState& state);

 private:
  void write(const std::vector<CheckpointTensor>& tensors);
  CommitReport commit_together();
  Manifest collect(const std::vector<std::string>& records) const;
  std::vector<std::string> prune();

  Communicator& world_;
  CheckpointOptions options_;
  Staging staging_;
  TrainingState state_;              ///< of the save under way
  std::vector<FileRecord> records_;  ///< files this rank wrote; published by status_
  std::string failure_;              ///< published by status_
  std::string removal_warning_;      ///< of the last removal in the background; read after joining
  std::atomic<SaveStatus> status_ = SaveStatus::idle;
  std::jthread worker_;  ///< last: joined before what it uses goes
};

}  // namespace boostr
