#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/runtime/error.h"

namespace boostr {

/// A message or collective of the MPI library in flight.
class MpiRequest {
 public:
  struct State;
  explicit MpiRequest(std::unique_ptr<State> state);
  MpiRequest(MpiRequest&&) noexcept;
  MpiRequest& operator=(MpiRequest&&) noexcept;
  /// Leaves an unfinished request to MPI: its owner has failed, and the run is about to end.
  ~MpiRequest();

  /// Whether it has finished. Throws Error(communication) if it failed.
  bool test();
  /// After test() returned true: how many bytes a receive got.
  std::size_t received_bytes() const;

 private:
  std::unique_ptr<State> state_;
};

/// An MPI communicator. The only place that knows the MPI library: everything is in bytes, and
/// every MPI error is an Error(communication). Buffers must live until a request has finished. At
/// most 2^31 - 1 bytes per rank and call.
class MpiComm {
 public:
  struct State;
  /// Initialises MPI, with threads; the world of the job. MPI is finalised when the last MpiComm is
  /// gone, unless an exception is on its way (the process is about to end, and its peers would be
  /// waited for).
  static std::shared_ptr<MpiComm> world();

  explicit MpiComm(std::unique_ptr<State> state);
  ~MpiComm();

  int rank() const;
  int size() const;
  /// The ranks of this communicator that run on this rank's host, ascending. Collective.
  std::vector<int> ranks_on_this_host() const;
  /// The communicator of `members`, in this order; only members call. `number` tells calls at the
  /// same time apart.
  std::shared_ptr<MpiComm> subset(std::span<const int> members, int number) const;

  /// Every rank's `bytes` in rank order; waits.
  void all_gather_now(void* output, const void* input, std::size_t bytes) const;
  void barrier_now() const;

  MpiRequest send(const void* data, std::size_t bytes, int destination, int tag) const;
  MpiRequest recv(void* data, std::size_t bytes, int source, int tag) const;
  /// output: size() times `bytes`.
  MpiRequest all_gather(void* output, const void* input, std::size_t bytes) const;
  /// input and output: size() times `bytes`.
  MpiRequest all_to_all(void* output, const void* input, std::size_t bytes) const;
  MpiRequest broadcast(void* data, std::size_t bytes, int root) const;

  /// Ends all processes of the job.
  [[noreturn]] void abort(ExitCode code) const;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace boostr
