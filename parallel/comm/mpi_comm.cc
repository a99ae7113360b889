#include "parallel/comm/mpi_comm.h"

#include <mpi.h>

#include <cstdlib>
#include <exception>
#include <limits>
#include <string>
#include <utility>

namespace boostr {
namespace {

void check(int result, std::string_view what) {
  if (result == MPI_SUCCESS) return;
  char message[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(result, message, &length);
  throw Error(ExitCode::communication, text("MPI: ", what, " failed: ", message,
                                            "; see what mpirun and the other ranks say"));
}

int int_count(std::size_t bytes) {
  expect(bytes <= static_cast<std::size_t>(std::numeric_limits<int>::max()), "MPI: a message of ",
         bytes, " bytes; at most 2^31 - 1 fit");
  return static_cast<int>(bytes);
}

/// MPI between initialisation and finalisation.
class MpiLibrary {
 public:
  MpiLibrary() {
    int initialised = 0;
    MPI_Initialized(&initialised);
    require(initialised == 0, ExitCode::internal, "MPI was initialised before; there is one world");
    // The watchdog's thread calls MPI_Abort.
    int provided = 0;
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided), "initialisation");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  }
  ~MpiLibrary() {
    if (std::uncaught_exceptions() == 0) MPI_Finalize();
  }
  MpiLibrary(const MpiLibrary&) = delete;
  MpiLibrary& operator=(const MpiLibrary&) = delete;
};

}  // namespace

struct MpiRequest::State {
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Status status{};
};

MpiRequest::MpiRequest(std::unique_ptr<State> state) : state_(std::move(state)) {}
MpiRequest::MpiRequest(MpiRequest&&) noexcept = default;
MpiRequest& MpiRequest::operator=(MpiRequest&&) noexcept = default;
MpiRequest::~MpiRequest() = default;

bool MpiRequest::test() {
  int done = 0;
  check(MPI_Test(&state_->request, &done, &state_->status), "an operation in flight");
  return done != 0;
}

std::size_t MpiRequest::received_bytes() const {
  int bytes = 0;
  check(MPI_Get_count(&state_->status, MPI_BYTE, &bytes), "the size of a message");
  return static_cast<std::size_t>(bytes);
}

struct MpiComm::State {
  State(std::shared_ptr<MpiLibrary> mpi, MPI_Comm handle) : library(std::move(mpi)), comm(handle) {
    MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
  }
  ~State() {
    if (comm != MPI_COMM_WORLD && std::uncaught_exceptions() == 0) MPI_Comm_free(&comm);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  /// Begins a nonblocking call: `start` gets the request to fill in.
  template <class Start>
  MpiRequest begin(std::string_view what, Start&& start) const {
    auto state = std::make_unique<MpiRequest::State>();
    check(start(&state->request), what);
    return MpiRequest(std::move(state));
  }

  std::shared_ptr<MpiLibrary> library;
  MPI_Comm comm;
  int rank = 0;
  int size = 1;
};

MpiComm::MpiComm(std::unique_ptr<State> state) : state_(std::move(state)) {}
MpiComm::~MpiComm() = default;

std::shared_ptr<MpiComm> MpiComm::world() {
  return std::make_shared<MpiComm>(
      std::make_unique<State>(std::make_shared<MpiLibrary>(), MPI_COMM_WORLD));
}

int MpiComm::rank() const { return state_->rank; }
int MpiComm::size() const { return state_->size; }

std::vector<int> MpiComm::ranks_on_this_host() const {
  MPI_Comm host = MPI_COMM_NULL;
  check(MPI_Comm_split_type(state_->comm, MPI_COMM_TYPE_SHARED, state_->rank, MPI_INFO_NULL, &host),
        "finding the ranks of this host");
  const State on_host(state_->library, host);
  std::vector<int> ranks(static_cast<std::size_t>(on_host.size));
  check(MPI_Allgather(&state_->rank, 1, MPI_INT, ranks.data(), 1, MPI_INT, host),
        "finding the ranks of this host");
  return ranks;
}

std::shared_ptr<MpiComm> MpiComm::subset(std::span<const int> members, int number) const {
  MPI_Group all = MPI_GROUP_NULL;
  MPI_Group chosen = MPI_GROUP_NULL;
  MPI_Comm comm = MPI_COMM_NULL;
  check(MPI_Comm_group(state_->comm, &all), "splitting a group");
  check(MPI_Group_incl(all, static_cast<int>(members.size()), members.data(), &chosen),
        "splitting a group");
  check(MPI_Comm_create_group(state_->comm, chosen, number, &comm), "splitting a group");
  MPI_Group_free(&chosen);
  MPI_Group_free(&all);
  return std::make_shared<MpiComm>(std::make_unique<State>(state_->library, comm));
}

void MpiComm::all_gather_now(void* output, const void* input, std::size_t bytes) const {
  const int count = int_count(bytes);
  check(MPI_Allgather(input, count, MPI_BYTE, output, count, MPI_BYTE, state_->comm), "all_gather");
}

void MpiComm::barrier_now() const { check(MPI_Barrier(state_->comm), "barrier"); }

MpiRequest MpiComm::send(const void* data, std::size_t bytes, int destination, int tag) const {
  const int count = int_count(bytes);
  return state_->begin("send", [&](MPI_Request* request) {
    return MPI_Isend(data, count, MPI_BYTE, destination, tag, state_->comm, request);
  });
}

MpiRequest MpiComm::recv(void* data, std::size_t bytes, int source, int tag) const {
  const int count = int_count(bytes);
  return state_->begin("recv", [&](MPI_Request* request) {
    return MPI_Irecv(data, count, MPI_BYTE, source, tag, state_->comm, request);
  });
}

MpiRequest MpiComm::all_gather(void* output, const void* input, std::size_t bytes) const {
  const int count = int_count(bytes);
  return state_->begin("all_gather", [&](MPI_Request* request) {
    return MPI_Iallgather(input, count, MPI_BYTE, output, count, MPI_BYTE, state_->comm, request);
  });
}

MpiRequest MpiComm::all_to_all(void* output, const void* input, std::size_t bytes) const {
  const int count = int_count(bytes);
  return state_->begin("all_to_all", [&](MPI_Request* request) {
    return MPI_Ialltoall(input, count, MPI_BYTE, output, count, MPI_BYTE, state_->comm, request);
  });
}

MpiRequest MpiComm::broadcast(void* data, std::size_t bytes, int root) const {
  const int count = int_count(bytes);
  return state_->begin("broadcast", [&](MPI_Request* request) {
    return MPI_Ibcast(data, count, MPI_BYTE, root, state_->comm, request);
  });
}

void MpiComm::abort(ExitCode code) const {
  MPI_Abort(MPI_COMM_WORLD, static_cast<int>(code));
  std::_Exit(static_cast<int>(code));
}

}  // namespace boostr
