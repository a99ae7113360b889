#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "parallel/comm/mpi.h"
#include "parallel/comm/mpi_group.h"
#include "parallel/comm/mpi_leftovers.h"
#include "parallel/comm/traced_communicator.h"
#include "parallel/comm/watchdog.h"

namespace boostr {
namespace {

/// Throws when a rank of this host has been dead for some seconds, which a launcher that ends the
/// job would not have left us. Looks every half second; in between it costs a clock.
class PeerCheck {
 public:
  /// processes[r]: of world rank r, 0 on other hosts.
  explicit PeerCheck(std::vector<int> processes) : processes_(std::move(processes)) {}

  void operator()() {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + std::chrono::milliseconds(500);
    const auto dead = std::ranges::find_if(
        processes_, [](int process) { return process != 0 && !alive(process); });
    if (dead == processes_.end()) return;
    if (!first_seen_) first_seen_ = now;
    require(now - *first_seen_ < std::chrono::seconds(3), ExitCode::communication, "rank ",
            dead - processes_.begin(), " (process ", *dead,
            ") has died; look for its message, or a kill by the system (out of memory?)");
  }

 private:
  /// Whether the process exists and has not ended: the state after "(name) " is not zombie or dead.
  static bool alive(int process) {
    std::ifstream file(text("/proc/", process, "/stat"));
    std::string status;
    if (!std::getline(file, status)) return false;
    const std::size_t name_end = status.rfind(") ");
    const char state = name_end == std::string::npos ? '?' : status[name_end + 2];
    return state != 'Z' && state != 'X';
  }

  std::vector<int> processes_;
  std::chrono::steady_clock::time_point next_;
  std::optional<std::chrono::steady_clock::time_point> first_seen_;
};

/// What the ranks of this host have found out about each other.
struct Neighbours {
  std::vector<int> host_of;       ///< by world rank: equal where memory can be shared
  std::vector<int> processes;     ///< by world rank, 0 elsewhere
  std::vector<TraceRing*> rings;  ///< by world rank, null elsewhere
  std::shared_ptr<void> ring_owner;
};

Neighbours meet_neighbours(const MpiComm& world, bool share) {
  const auto size = static_cast<std::size_t>(world.size());
  const auto rank = static_cast<std::size_t>(world.rank());
  Neighbours found{.host_of = std::vector<int>(size),
                   .processes = std::vector<int>(size),
                   .rings = std::vector<TraceRing*>(size),
                   .ring_owner = nullptr};
  const std::vector<int> on_host = world.ranks_on_this_host();
  const std::shared_ptr<MpiComm> host = world.subset(on_host, 0);
  const std::optional<SharedSegments> rings = share_memory(*host, sizeof(TraceRing));
  if (rings) {
    for (std::size_t i = 0; i < on_host.size(); ++i) {
      found.rings[static_cast<std::size_t>(on_host[i])] =
          reinterpret_cast<TraceRing*>(rings->base[i]);
    }
    found.ring_owner = rings->owner;
    const int process = getpid();
    std::vector<int> processes(on_host.size());
    host->all_gather_now(processes.data(), &process, sizeof process);
    for (std::size_t i = 0; i < on_host.size(); ++i) {
      found.processes[static_cast<std::size_t>(on_host[i])] = processes[i];
    }
  } else {
    const auto ring = std::make_shared<TraceRing>();
    found.rings[rank] = ring.get();
    found.ring_owner = ring;
  }
  // Where memory cannot be shared each rank counts as a host of its own.
  const int id = rings && share ? on_host[0] : world.rank();
  world.all_gather_now(found.host_of.data(), &id, sizeof id);
  return found;
}

std::string host_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  const std::string full = name;
  return full.substr(0, full.find('.'));
}

}  // namespace

void require_mpi() {}  // this build has it; mpi_absent.cc is the other

std::unique_ptr<Communicator> mpi_world(const MpiOptions& options) {
  remove_mpi_leftovers("/dev/shm", host_name(), std::chrono::minutes(1));
  const std::shared_ptr<MpiComm> comm = MpiComm::world();
  Neighbours neighbours = meet_neighbours(*comm, options.shared_memory);
  auto traced = std::make_shared<TracedGroup>();
  traced->name = "world";
  traced->world_ranks.resize(static_cast<std::size_t>(comm->size()));
  std::iota(traced->world_ranks.begin(), traced->world_ranks.end(), 0);
  traced->trace = std::make_shared<Trace>(comm->rank(), std::move(neighbours.rings),
                                          std::move(neighbours.ring_owner));
  traced->progress =
      std::make_shared<Progress>(PeerCheck(std::move(neighbours.processes)), comm->size());
  traced->group = make_mpi_group(comm, std::move(neighbours.host_of), {comm, *traced->progress});
  traced->watchdog = std::make_unique<Watchdog>(traced->trace, [comm](const std::string& report) {
    std::fprintf(stderr, "[rank %d/%d] error: %s\n", comm->rank(), comm->size(), report.c_str());
    comm->abort(ExitCode::communication);
  });
  return std::make_unique<TracedCommunicator>(std::move(traced));
}

}  // namespace boostr
