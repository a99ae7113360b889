#pragma once

#include <filesystem>

#include "trainer/checkpoint/file_ops.h"

namespace boostr {

/// Keeps a second run out of a run's folder: an exclusive flock on `<output>/.lock`, held until
/// destruction. The system drops it with the process, however that dies, so no lock is ever stale.
/// The file names the holder (pid, host), for the message only, and stays. One rank per run takes
/// it.
class RunLock {
 public:
  /// Makes the folder if need be. Throws Error(checkpoint) naming the holder if another run has it.
  explicit RunLock(const std::filesystem::path& output);

 private:
  File file_;
};

}  // namespace boostr
