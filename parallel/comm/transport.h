#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parallel/comm/call.h"
#include "parallel/comm/progress.h"

namespace boostr {

/// One segment of memory per rank of a group; every rank reads and writes all of them. Freed when
/// the last rank has let go of its handle.
struct SharedSegments {
  std::vector<std::byte*>
      base;               ///< by rank, as addresses of this process; 64-byte aligned, zero-filled
  std::size_t bytes = 0;  ///< of each
  std::shared_ptr<void> owner;
};

/// Copies `bytes` of a rank's private memory, from an address of that rank.
using ReadPeer =
    std::function<void(int rank, std::byte* to, std::uint64_t from, std::size_t bytes)>;

/// What SharedGroup needs from whatever joins its ranks: memory that all of them see, and messages.
/// Implementations: threads of one process, processes of one host.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual std::string_view name() const = 0;
  virtual Progress& progress() = 0;

  /// Collective.
  virtual SharedSegments allocate(std::size_t bytes) = 0;
  /// Empty, alike on all ranks, if any may not read another's memory. Collective.
  virtual ReadPeer peer_reader() = 0;
  /// See Group::subset.
  virtual std::unique_ptr<Transport> subset(std::span<const int> members, int number) = 0;
  virtual std::shared_ptr<Operation> send(const Call& call) = 0;
  virtual std::shared_ptr<Operation> recv(const Call& call) = 0;
  virtual void abort(ExitCode code, const std::string& reason) = 0;
};

}  // namespace boostr
