#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "parallel/comm/communicator.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/manifest.h"

namespace boostr {

/// A verified checkpoint, from which any rank reads any region of any tensor, whatever ranks and
/// regions wrote it. Bytes are read at the places that the verified manifest states; no HDF5
/// structure of a file is ever interpreted, so a hostile file can at most hold wrong numbers.
class CheckpointReader {
 public:
  /// `manifest` is the folder's, and the files it lists are verified. The recipe is read from
  /// recipe.yaml.
  CheckpointReader(std::filesystem::path folder, const Manifest& manifest);

  const std::filesystem::path& folder() const { return folder_; }
  const TrainingState& state() const { return state_; }
  /// Whether any tensor is in the group.
  bool has_group(const std::string& group) const;

  /// Fills `target.local`. Throws Error(checkpoint) naming the tensor if it is missing, or of
  /// another shape or type.
  void read(const CheckpointTensor& target) const;

  /// Collective: fills every rank's targets, and throws on every rank if any failed or if the
  /// checkpoint has a tensor, in one of the groups the targets name, that no rank asked for.
  void load(Communicator& world, const std::vector<CheckpointTensor>& targets) const;

 private:
  struct Part {
    std::filesystem::path file;
    TensorRecord record;
  };

  std::filesystem::path folder_;
  TrainingState state_;
  std::map<std::pair<std::string, std::string>, std::vector<Part>> parts_;  // by group and name
};

/// A checkpoint that `resume: auto` passed over, and why.
struct SkippedCheckpoint {
  std::filesystem::path folder;
  std::string reason;
};

struct ResumeChoice {
  std::optional<CheckpointReader> checkpoint;  ///< what to continue from; none: start at step 1
  std::vector<SkippedCheckpoint> skipped;      ///< newer ones that do not verify
};

/// What `checkpoint.resume` asks for, on every rank alike. Collective; the ranks share the work of
/// verifying.
/// - "auto": the newest checkpoint in `<output>/checkpoints` that verifies, or none;
/// - "never": none; Error(checkpoint) if `output` already holds a run;
/// - a checkpoint's folder: that one; Error(checkpoint) if it does not verify.
ResumeChoice choose_checkpoint(Communicator& world, const std::filesystem::path& output,
                               const std::string& resume);

}  // namespace boostr
