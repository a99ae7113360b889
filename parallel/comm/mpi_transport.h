#pragma once

#include <memory>
#include <optional>

#include "parallel/comm/mpi_comm.h"
#include "parallel/comm/transport.h"

namespace boostr {

/// What all groups of one MPI process share.
struct MpiProcess {
  std::shared_ptr<MpiComm> world;
  Progress& progress;
};

/// Joins processes of one host: memory that each has created and all have mapped, and MPI's
/// messages.
class MpiTransport final : public Transport {
 public:
  MpiTransport(std::shared_ptr<MpiComm> comm, const MpiProcess& process);

  int rank() const override { return comm_->rank(); }
  int size() const override { return comm_->size(); }
  std::string_view name() const override { return "shared memory"; }
  Progress& progress() override { return process_.progress; }

  SharedSegments allocate(std::size_t bytes) override;
  ReadPeer peer_reader() override;
  std::unique_ptr<Transport> subset(std::span<const int> members, int number) override;
  std::shared_ptr<Operation> send(const Call& call) override;
  std::shared_ptr<Operation> recv(const Call& call) override;
  void abort(ExitCode code, const std::string& reason) override;

 private:
  std::shared_ptr<MpiComm> comm_;
  MpiProcess process_;
};

/// One segment per rank of `comm`, mapped by all; nothing if any of them may not map another's,
/// alike on all ranks. Collective.
std::optional<SharedSegments> share_memory(const MpiComm& comm, std::size_t bytes);

/// A message through MPI, begun on `progress`.
std::shared_ptr<Operation> mpi_send(const MpiComm& comm, const Call& call, Progress& progress);
std::shared_ptr<Operation> mpi_recv(const MpiComm& comm, const Call& call, Progress& progress);

}  // namespace boostr
