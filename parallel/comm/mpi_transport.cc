#include "parallel/comm/mpi_transport.h"

#include <unistd.h>

#include <algorithm>
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

}  // namespace

MpiTransport::MpiTransport(std::shared_ptr<MpiComm> comm, const MpiProcess& process)
    : comm_(std::move(comm)), process_(process) {}

SharedSegments MpiTransport::allocate(std::size_t bytes) {
  std::optional<SharedSegments> segments = share_memory(*comm_, bytes);
  require(segments.has_value(), ExitCode::memory, "the ranks of this host cannot map ", bytes,
          " bytes of each other's memory; free memory or use a smaller model");
  return *std::move(segments);
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
  const char mapped = std::ranges::find(segments.base, nullptr) == segments.base.end() ? 1 : 0;
  std::vector<char> all_mapped(size);
  comm.all_gather_now(all_mapped.data(), &mapped, 1);  // until here `mine` must stay open
  if (std::ranges::find(all_mapped, 0) != all_mapped.end()) return std::nullopt;
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
