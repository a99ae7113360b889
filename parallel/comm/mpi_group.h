#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/runtime/buffer.h"
#include "parallel/comm/group.h"
#include "parallel/comm/mpi_comm.h"
#include "parallel/comm/mpi_transport.h"

namespace boostr {

/// A group whose ranks are on several hosts: collectives are messages. Every collective begins with
/// an exchange of its signature, which also carries small inputs whole; larger ones follow in
/// rounds of bounded memory. Reductions exchange pieces, add them in rank order on one rank, and
/// pass the sums on: the same bits as in shared memory. Collectives of one group follow one after
/// the other.
class MpiGroup final : public Group {
 public:
  /// hosts[r]: a number that ranks share if they can share memory.
  MpiGroup(std::shared_ptr<MpiComm> comm, std::vector<int> hosts, const MpiProcess& process);

  int rank() const override { return comm_->rank(); }
  int size() const override { return comm_->size(); }
  std::string_view transport() const override { return "messages"; }
  Progress& progress() override { return process_.progress; }

  std::shared_ptr<Operation> start(const Call& call) override;
  std::unique_ptr<Group> subset(std::span<const int> members, int number) override;
  std::byte* allocate_shared(std::size_t bytes) override;
  /// Other hosts cannot be looked into.
  std::vector<int> missing(std::uint64_t) const override { return {}; }
  std::vector<int> unfinished(std::uint64_t) const override { return {}; }
  void abort(ExitCode code, const std::string& reason) override;

 private:
  std::shared_ptr<MpiComm> comm_;
  std::vector<int> hosts_;
  MpiProcess process_;
  std::vector<Buffer> shared_;
  std::uint64_t next_sequence_ = 0;
  std::shared_ptr<std::uint64_t> turn_;  // the collective whose messages are under way
};

/// The group of all ranks of `comm`: through shared memory if they are on one host.
std::unique_ptr<Group> make_mpi_group(std::shared_ptr<MpiComm> comm, std::vector<int> hosts,
                                      const MpiProcess& process);

}  // namespace boostr
