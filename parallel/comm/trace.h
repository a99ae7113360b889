#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "parallel/comm/call.h"
#include "parallel/comm/group.h"
#include "parallel/comm/process_watch.h"

namespace boostr {

enum class CallState : std::uint8_t { in_flight, waiting, done };

/// One recorded call. Words are accessed atomically: other ranks read them when something hangs.
struct TraceEntry {
  std::uint64_t sequence;  ///< of the group's collectives, or of its messages
  std::uint64_t what;      ///< kind, dtype, state, peer
  std::uint64_t numel;
  std::uint64_t group_name[2];  ///< the first 15 characters
};

/// The last calls of one rank, in memory that its peers on the host can read. Zero-filled is empty.
struct TraceRing {
  static constexpr std::uint64_t length = 64;
  std::uint64_t count;
  std::uint64_t process;                       ///< its number
  std::uint64_t waiting;                       ///< what the rank is at
  static constexpr std::uint64_t in_wait = 1;  ///< for an operation
  static constexpr std::uint64_t gave_up = 2;  ///< it has said why, and ends
  std::uint64_t alive;                         ///< counts up while it waits and its process runs
  TraceEntry entry[length];
};

/// One operation that somebody waits for.
struct Wait {
  const Group* group = nullptr;
  std::string_view group_name;
  std::span<const int> world_ranks;  ///< by rank of the group
  Signature signature;
  std::uint64_t sequence = 0;
  Subject about = {};
  std::chrono::steady_clock::time_point since;
};

/// What one rank has called and what it waits for, over all its communicators.
class Trace {
 public:
  /// rings[r]: where world rank r records, null where this rank cannot read it; `owner` keeps them
  /// alive.
  Trace(int world_rank, std::vector<TraceRing*> rings, std::shared_ptr<void> owner);

  /// Records a call; returns its number for set_state.
  std::uint64_t record(const Signature& signature, std::string_view group_name,
                       std::uint64_t sequence);
  void set_state(std::uint64_t number, CallState state);

  void begin_wait(const Wait& wait);
  void end_wait();
  /// This rank has said what is wrong, and takes the others down.
  void give_up();

  /// How long calls and waits have held up this rank's thread, which alone asks.
  void add_held_up(double seconds) { held_up_seconds_ += seconds; }
  double held_up_seconds() const { return held_up_seconds_; }

  /// From now on this notices when a process ends that holds other ranks. To be called before it
  /// matters, and again while ranks begin: one that has gone cannot be looked up any more.
  void watch_processes();

  void set_timeout(std::chrono::duration<double> timeout);
  std::chrono::duration<double> timeout() const;
  /// If this rank waits for longer than the timeout, or for a process that has ended: the message
  /// that says for what, which ranks have not entered the operation, and what each rank called
  /// last. Callable from another thread.
  std::optional<std::string> overdue() const;
  /// Throws that message as Error(communication).
  void throw_if_overdue() const;

 private:
  std::string report(const Wait& wait, double seconds, const std::string& blame) const;
  /// The ranks of the wait's group whose processes have ended without a word: who they wait for.
  std::vector<int> ended(const Wait& wait) const;
  /// Whether this rank is the first to report a wait for the missing ranks.
  static bool is_reporter(const Wait& wait, std::span<const int> missing);
  /// Who holds up an overdue wait, and with what.
  std::string blame(const Wait& wait, std::span<const int> missing) const;
  /// The rank that a message must come from or go to.
  int peer_of(const Wait& wait) const;
  /// Whether that rank waits for something itself, as far as can be seen, so that it is not to
  /// blame.
  bool peer_waits(const Wait& wait) const;

  int world_rank_;
  std::vector<TraceRing*> rings_;
  std::shared_ptr<void> owner_;
  std::atomic<double> timeout_seconds_{300};
  double held_up_seconds_ = 0;
  /// A peer's TraceRing::alive and when it was seen to change.
  struct Heartbeat {
    std::uint64_t count = 0;
    std::chrono::steady_clock::time_point changed;
  };

  mutable std::mutex mutex_;  // guards what follows, and keeps the group alive while a report
                              // reads it
  std::optional<Wait> wait_;
  mutable Heartbeat heartbeat_;
  std::map<int, ProcessWatch> processes_;  // by world rank, of those that have begun
  mutable bool reported_ = false;          // that a wait was overdue
};

}  // namespace boostr
