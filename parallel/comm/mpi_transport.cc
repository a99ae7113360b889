#include "parallel/comm/mpi_transport.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "parallel/comm/shared_memory.h"

namespace boostr {
namespace {

class Message final : public Operation {
 public:
  Message(MpiRequest request, const Call& call, int rank)
      : request_(std::move(request)), call_(call), rank_(rank) {}

 private:
  Step advance() override {
    if (!request_.test()) return Step::waiting;
    if (call_.signature.kind == CallKind::recv) {
      require(request_.received_bytes() == call_.piece_bytes(), ExitCode::communication, "rank ",
              rank_, " expects ", call_.piece_bytes(), " bytes in its ", call_.signature, ", tag ",
              call_.tag, ", but ", request_.received_bytes(), " were sent");
    }
    return Step::done;
  }

  MpiRequest request_;
  Call call_;
  int rank_;
};

/// Copies from another process; false, with errno, where the system refuses.
bool read_process(int process, std::byte* to, std::uint64_t from, std::size_t bytes) {
  while (bytes > 0) {
    const iovec mine{to, bytes}, theirs{reinterpret_cast<void*>(from), bytes};
    const ssize_t read = process_vm_readv(process, &mine, 1, &theirs, 1, 0);
    if (read <= 0) return false;
    to += read;
    from += static_cast<std::uint64_t>(read);
    bytes -= static_cast<std::size_t>(read);
  }
  return true;
}

/// Whether it holds on every rank. Collective.
bool all_agree(const MpiComm& comm, bool mine) {
  const char vote = mine ? 1 : 0;
  std::vector<char> votes(static_cast<std::size_t>(comm.size()));
  comm.all_gather_now(votes.data(), &vote, 1);
  return std::ranges::find(votes, 0) == votes.end();
}

}  // namespace

MpiTransport::MpiTransport(std::shared_ptr<MpiComm> comm, const MpiProcess& process)
    : comm_(std::move(comm)), process_(process) {}

SharedSegments MpiTransport::allocate(std::size_t bytes) {
  std::optional<SharedSegments> segments = share_memory(*comm_, bytes);
  require(segments.has_value(), ExitCode::memory, "the ranks of this host cannot map ", bytes,
          " bytes of each other's memory; free memory or use a smaller model");
  return *std::move(segments);
}

ReadPeer MpiTransport::peer_reader() {
  struct Probe {
    int process = 0;
    std::uint64_t address = 0;
  };
  const std::uint64_t word = 1;
  const Probe mine{getpid(), reinterpret_cast<std::uint64_t>(&word)};
  std::vector<Probe> probes(static_cast<std::size_t>(size()));
  comm_->all_gather_now(probes.data(), &mine, sizeof mine);
  const bool readable = std::ranges::all_of(probes, [](const Probe& probe) {
    std::uint64_t seen = 0;
    return read_process(probe.process, reinterpret_cast<std::byte*>(&seen), probe.address,
                        sizeof seen) &&
           seen == 1;
  });
  if (!all_agree(*comm_, readable)) return {};  // until here `word` must live
  return [probes](int rank, std::byte* to, std::uint64_t from, std::size_t bytes) {
    require(read_process(probes[static_cast<std::size_t>(rank)].process, to, from, bytes),
            ExitCode::communication, "the memory of rank ", rank,
            " cannot be read: ", std::strerror(errno));
  };
}

std::unique_ptr<Transport> MpiTransport::subset(std::span<const int> members, int number) {
  return std::make_unique<MpiTransport>(comm_->subset(members, number), process_);
}

std::shared_ptr<Operation> MpiTransport::send(const Call& call) {
  return mpi_send(*comm_, call, process_.progress);
}

std::shared_ptr<Operation> MpiTransport::recv(const Call& call) {
  return mpi_recv(*comm_, call, process_.progress);
}

void MpiTransport::abort(ExitCode code, const std::string&) { process_.world->abort(code); }

std::optional<SharedSegments> share_memory(const MpiComm& comm, std::size_t bytes) {
  struct Handle {
    int process = 0;
    int descriptor = 0;
  };
  const auto size = static_cast<std::size_t>(comm.size());
  const auto mine = std::make_unique<SharedMemory>(bytes);
  const Handle handle{getpid(), mine->descriptor()};
  std::vector<Handle> handles(size);
  comm.all_gather_now(handles.data(), &handle, sizeof handle);

  auto mappings = std::make_shared<std::vector<std::shared_ptr<std::byte>>>();
  SharedSegments segments{.base = {}, .bytes = bytes, .owner = mappings};
  for (int rank = 0; rank < comm.size(); ++rank) {
    const Handle& theirs = handles[static_cast<std::size_t>(rank)];
    mappings->push_back(rank == comm.rank()
                            ? mine->mapping()
                            : SharedMemory::open(theirs.process, theirs.descriptor, bytes));
    segments.base.push_back(mappings->back().get());
  }
  const bool mapped = std::ranges::find(segments.base, nullptr) == segments.base.end();
  if (!all_agree(comm, mapped)) return std::nullopt;  // until here `mine` must stay open
  return segments;
}

std::shared_ptr<Operation> mpi_send(const MpiComm& comm, const Call& call, Progress& progress) {
  auto operation = std::make_shared<Message>(
      comm.send(call.input, call.piece_bytes(), call.signature.peer, call.tag), call, comm.rank());
  progress.start(operation);
  return operation;
}

std::shared_ptr<Operation> mpi_recv(const MpiComm& comm, const Call& call, Progress& progress) {
  auto operation = std::make_shared<Message>(
      comm.recv(call.output, call.piece_bytes(), call.signature.peer, call.tag), call, comm.rank());
  progress.start(operation);
  return operation;
}

}  // namespace boostr
