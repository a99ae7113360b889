#pragma once

#include <cstddef>
#include <filesystem>
#include <limits>

namespace boostr {

/// What this process may have of the host's memory: of all that there is, or of what the control
/// groups that hold it (a container, a batch job, a service) are limited to.
struct HostMemory {
  static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

  std::size_t total = unlimited;      ///< bytes
  std::size_t available = unlimited;  ///< bytes that can be had without a process being ended
};

/// As Linux says: /proc/meminfo and the limits of cgroups (v2 and v1) under `root`. What it does not
/// say is unlimited.
HostMemory host_memory(const std::filesystem::path& root = "/");

/// Bytes that this process has come to use; 0 where Linux does not say.
struct ResidentMemory {
  std::size_t own = 0;
  std::size_t shared = 0;  ///< pages of files, the program's among them, and between processes
};
ResidentMemory resident_memory();

}  // namespace boostr
