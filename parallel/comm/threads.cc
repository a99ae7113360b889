#include "parallel/comm/threads.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "parallel/comm/mailbox.h"
#include "parallel/comm/shared_group.h"
#include "parallel/comm/shared_memory.h"
#include "parallel/comm/traced_communicator.h"
#include "parallel/comm/transport.h"

namespace boostr {
namespace {

/// The first failure in a world, which ends all its ranks.
class Failure {
 public:
  /// The first to raise it wins.
  void raise(int rank, ExitCode code, const std::string& reason) {
    const std::lock_guard lock(mutex_);
    if (raised_) return;
    rank_ = rank;
    code_ = code;
    reason_ = reason;
    raised_ = true;
  }
  void check() const {
    if (!raised_) return;
    const std::lock_guard lock(mutex_);
    throw Error(ExitCode::communication, text("rank ", rank_, " has failed: ", reason_));
  }
  /// After all ranks have ended: rethrows what the first one failed with.
  void rethrow(const std::vector<std::exception_ptr>& thrown) const {
    if (!raised_) return;
    if (thrown[static_cast<std::size_t>(rank_)]) {
      std::rethrow_exception(thrown[static_cast<std::size_t>(rank_)]);
    }
    throw Error(code_, reason_);
  }

 private:
  std::atomic<bool> raised_ = false;
  mutable std::mutex mutex_;
  int rank_ = 0;
  ExitCode code_ = ExitCode::internal;
  std::string reason_;
};

/// What the threads of one group share.
struct Hub {
  explicit Hub(std::shared_ptr<Failure> shared_failure) : failure(std::move(shared_failure)) {}

  std::shared_ptr<Failure> failure;
  std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>();
  std::mutex mutex;                         // guards what follows
  std::vector<SharedSegments> allocations;  // in the order of the collective calls
  std::map<std::pair<int, std::vector<int>>, std::shared_ptr<Hub>> subsets;
};

/// What one thread has of its own.
struct ThreadRank {
  int world_rank = 0;
  std::shared_ptr<Progress> progress;
};

class ThreadTransport final : public Transport {
 public:
  ThreadTransport(int rank, int size, std::shared_ptr<Hub> hub, ThreadRank thread)
      : rank_(rank), size_(size), hub_(std::move(hub)), thread_(std::move(thread)) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::string_view name() const override { return "threads"; }
  Progress& progress() override { return *thread_.progress; }

  SharedSegments allocate(std::size_t bytes) override {
    const std::lock_guard lock(hub_->mutex);
    const std::size_t index = num_allocations_++;
    if (index == hub_->allocations.size()) {
      hub_->allocations.push_back(private_segments(size_, bytes));
    }
    return hub_->allocations[index];
  }

  /// None, so that tests meet what happens where processes may not read each other's memory.
  ReadPeer peer_reader() override { return {}; }

  std::unique_ptr<Transport> subset(std::span<const int> members, int number) override {
    const std::vector<int> ranks(members.begin(), members.end());
    const auto new_rank = std::ranges::find(ranks, rank_) - ranks.begin();
    const std::lock_guard lock(hub_->mutex);
    std::shared_ptr<Hub>& hub = hub_->subsets[{number, ranks}];
    if (!hub) hub = std::make_shared<Hub>(hub_->failure);
    return std::make_unique<ThreadTransport>(static_cast<int>(new_rank),
                                             static_cast<int>(ranks.size()), hub, thread_);
  }

  std::shared_ptr<Operation> send(const Call& call) override {
    return mail_send(*hub_->mailbox, rank_, call, *thread_.progress);
  }
  std::shared_ptr<Operation> recv(const Call& call) override {
    return mail_recv(hub_->mailbox, rank_, call, *thread_.progress);
  }
  void abort(ExitCode code, const std::string& reason) override {
    hub_->failure->raise(thread_.world_rank, code, reason);
  }

 private:
  int rank_;
  int size_;
  std::shared_ptr<Hub> hub_;
  ThreadRank thread_;
  std::size_t num_allocations_ = 0;
};

std::unique_ptr<Communicator> join_world(int rank, const std::shared_ptr<Hub>& hub,
                                         const std::shared_ptr<std::vector<TraceRing>>& rings,
                                         std::chrono::duration<double> timeout) {
  std::vector<TraceRing*> ring_of;
  for (TraceRing& ring : *rings) ring_of.push_back(&ring);
  const int size = static_cast<int>(rings->size());
  auto traced = std::make_shared<TracedGroup>();
  traced->name = "world";
  traced->world_ranks.resize(rings->size());
  std::iota(traced->world_ranks.begin(), traced->world_ranks.end(), 0);
  traced->trace = std::make_shared<Trace>(rank, ring_of, rings);
  traced->trace->set_timeout(timeout);
  traced->progress = std::make_shared<Progress>(
      [trace = traced->trace, failure = hub->failure] {
        failure->check();
        trace->throw_if_overdue();
      },
      size);
  const ThreadRank thread{rank, traced->progress};
  traced->group =
      std::make_unique<SharedGroup>(std::make_unique<ThreadTransport>(rank, size, hub, thread));
  return std::make_unique<TracedCommunicator>(std::move(traced));
}

}  // namespace

void run_ranks(int n, const std::function<void(Communicator& world)>& rank_main,
               std::chrono::duration<double> timeout) {
  expect(n > 0, "run_ranks: there must be at least one rank, not ", n);
  const auto failure = std::make_shared<Failure>();
  const auto hub = std::make_shared<Hub>(failure);
  const auto rings = std::make_shared<std::vector<TraceRing>>(static_cast<std::size_t>(n));
  std::vector<std::exception_ptr> thrown(static_cast<std::size_t>(n));
  const auto run = [&](int rank) {
    try {
      rank_main(*join_world(rank, hub, rings, timeout));
    } catch (const Error& error) {
      thrown[static_cast<std::size_t>(rank)] = std::current_exception();
      failure->raise(rank, error.code(), error.what());
    } catch (const std::exception& error) {
      thrown[static_cast<std::size_t>(rank)] = std::current_exception();
      failure->raise(rank, ExitCode::internal, error.what());
    } catch (...) {
      thrown[static_cast<std::size_t>(rank)] = std::current_exception();
      failure->raise(rank, ExitCode::internal, "an unknown exception");
    }
  };
  std::vector<std::thread> threads;
  for (int rank = 0; rank < n; ++rank) threads.emplace_back(run, rank);
  for (std::thread& thread : threads) thread.join();
  failure->rethrow(thrown);
}

}  // namespace boostr
