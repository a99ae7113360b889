#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parallel/comm/call.h"
#include "parallel/comm/progress.h"

namespace boostr {

/// Carries out the calls of one group of ranks. One implementation per kind of connection (self,
/// shared memory, messages); TracedCommunicator in front of it checks arguments, names and records.
/// Arguments are valid when they arrive here.
class Group {
 public:
  virtual ~Group() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual std::string_view transport() const = 0;
  /// The pump of this rank; shared by all its groups.
  virtual Progress& progress() = 0;

  /// Begins an operation. Collectives (all but send and recv) are numbered by the order of these
  /// calls.
  virtual std::shared_ptr<Operation> start(const Call& call) = 0;
  /// The group of `members` (ranks of this group, in their new order), or null where there is
  /// nothing to connect because this rank is alone. Every member calls it with the same arguments;
  /// `number` tells splits of this group apart.
  virtual std::unique_ptr<Group> subset(std::span<const int> members, int number) = 0;
  /// Zero-filled memory that collectives of this group use without copying. Every member calls it
  /// with the same size; the group keeps it.
  virtual std::byte* allocate_shared(std::size_t bytes) = 0;
  /// Ranks known not to have entered collective number `sequence`. Callable from another thread.
  virtual std::vector<int> missing(std::uint64_t sequence) const = 0;
  /// Other ranks known to have entered it, but not done their part. Callable from another thread.
  virtual std::vector<int> unfinished(std::uint64_t sequence) const = 0;
  virtual void abort(ExitCode code, const std::string& reason) = 0;
};

}  // namespace boostr
