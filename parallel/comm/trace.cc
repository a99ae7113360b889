#include "parallel/comm/trace.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

/// How many calls of each rank a report shows.
constexpr std::uint64_t shown_calls = 3;
/// One rank of those that hang reports; the others only if that one does not end the run.
constexpr double second_reporter_seconds = 1.0;
/// Likewise of those that wait for a message from a rank that waits itself, perhaps since later.
constexpr double next_in_chain_seconds = 4.0;
/// A wait must have taken so long before anybody asks whether processes still live.
constexpr double look_for_ended_seconds = 0.05;
/// A rank that waits shows that it is alive much more often.
constexpr std::chrono::milliseconds silence{500};

std::uint64_t read(const std::uint64_t& word) {
  return std::atomic_ref(const_cast<std::uint64_t&>(word)).load(std::memory_order_relaxed);
}
void write(std::uint64_t& word, std::uint64_t value) {
  std::atomic_ref(word).store(value, std::memory_order_relaxed);
}

std::uint64_t pack(const Signature& signature, CallState state) {
  return std::uint64_t(signature.kind) | std::uint64_t(signature.dtype) << 8 |
         std::uint64_t(signature.reduce) << 16 | std::uint64_t(state) << 24 |
         std::uint64_t(static_cast<std::uint32_t>(signature.peer)) << 32;
}

Signature unpack(const TraceEntry& entry) {
  const std::uint64_t what = read(entry.what);
  return {.kind = static_cast<CallKind>(what & 0xff),
          .reduce = static_cast<ReduceOp>(what >> 16 & 0xff),
          .dtype = static_cast<DType>(what >> 8 & 0xff),
          .peer = static_cast<std::int32_t>(what >> 32),
          .numel = static_cast<std::int64_t>(read(entry.numel))};
}

std::string describe(const TraceEntry& entry) {
  static constexpr std::string_view states[] = {"in flight", "waiting", "done"};
  const std::uint64_t name_words[2] = {read(entry.group_name[0]), read(entry.group_name[1])};
  char group_name[17] = {};
  std::memcpy(group_name, name_words, 16);
  return text("#", read(entry.sequence), " ", unpack(entry), " in '", group_name, "' (",
              states[read(entry.what) >> 24 & 0xff], ")");
}

std::string last_calls(const TraceRing& ring) {
  const std::uint64_t count = read(ring.count);
  if (count == 0) return "nothing";
  std::string calls;
  for (std::uint64_t i = count - std::min(count, shown_calls); i < count; ++i) {
    calls += (calls.empty() ? "" : ", ") + describe(ring.entry[i % TraceRing::length]);
  }
  return calls;
}

std::string list_ranks(std::span<const int> ranks, const Wait& wait) {
  std::string list = ranks.size() == 1 ? "rank " : "ranks ";
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    list += text(i == 0 ? "" : ", ", ranks[i]);
    const int world_rank = wait.world_ranks[static_cast<std::size_t>(ranks[i])];
    if (world_rank != ranks[i]) list += text(" (world rank ", world_rank, ")");
  }
  return list;
}

}  // namespace

Trace::Trace(int world_rank, std::vector<TraceRing*> rings, std::shared_ptr<void> owner)
    : world_rank_(world_rank), rings_(std::move(rings)), owner_(std::move(owner)) {
  write(rings_[static_cast<std::size_t>(world_rank_)]->process,
        static_cast<std::uint64_t>(getpid()));
}

std::uint64_t Trace::record(const Signature& signature, std::string_view group_name,
                            std::uint64_t sequence) {
  TraceRing& ring = *rings_[static_cast<std::size_t>(world_rank_)];
  const std::uint64_t number = ring.count;  // only this rank writes
  TraceEntry& entry = ring.entry[number % TraceRing::length];
  std::uint64_t name_words[2] = {};
  std::memcpy(name_words, group_name.data(), std::min<std::size_t>(group_name.size(), 15));
  write(entry.sequence, sequence);
  write(entry.what, pack(signature, CallState::in_flight));
  write(entry.numel, static_cast<std::uint64_t>(signature.numel));
  write(entry.group_name[0], name_words[0]);
  write(entry.group_name[1], name_words[1]);
  write(ring.count, number + 1);
  return number;
}

void Trace::set_state(std::uint64_t number, CallState state) {
  TraceRing& ring = *rings_[static_cast<std::size_t>(world_rank_)];
  if (ring.count - number > TraceRing::length) return;  // overwritten by later calls
  std::uint64_t& what = ring.entry[number % TraceRing::length].what;
  write(what, (read(what) & ~(std::uint64_t{0xff} << 24)) | std::uint64_t(state) << 24);
}

void Trace::begin_wait(const Wait& wait) {
  const std::lock_guard lock(mutex_);
  wait_ = wait;
  heartbeat_ = {};
  if (!reported_) write(rings_[static_cast<std::size_t>(world_rank_)]->waiting, TraceRing::in_wait);
}

void Trace::end_wait() {
  const std::lock_guard lock(mutex_);
  wait_.reset();
  if (!reported_) write(rings_[static_cast<std::size_t>(world_rank_)]->waiting, 0);
}

void Trace::give_up() {
  const std::lock_guard lock(mutex_);
  reported_ = true;
  write(rings_[static_cast<std::size_t>(world_rank_)]->waiting, TraceRing::gave_up);
}

void Trace::watch_processes() {
  const std::lock_guard lock(mutex_);
  for (std::size_t rank = 0; rank < rings_.size(); ++rank) {
    const auto process =
        rings_[rank] == nullptr ? 0 : static_cast<int>(read(rings_[rank]->process));
    if (process != 0 && process != getpid())
      processes_.try_emplace(static_cast<int>(rank), process);
  }
}

std::vector<int> Trace::ended(const Wait& wait) const {
  std::vector<int> ended;
  for (int rank = 0; rank < static_cast<int>(wait.world_ranks.size()); ++rank) {
    const int world_rank = wait.world_ranks[static_cast<std::size_t>(rank)];
    const auto process = processes_.find(world_rank);
    if (process == processes_.end() || !process->second.has_ended()) continue;
    const bool concerned = !is_message(wait.signature.kind) || rank == wait.signature.peer;
    const TraceRing& ring = *rings_[static_cast<std::size_t>(world_rank)];
    if (concerned && read(ring.waiting) != TraceRing::gave_up) ended.push_back(rank);
  }
  return ended;
}

int Trace::peer_of(const Wait& wait) const {
  return wait.world_ranks[static_cast<std::size_t>(wait.signature.peer)];
}

bool Trace::peer_waits(const Wait& wait) const {
  const TraceRing* ring = rings_[static_cast<std::size_t>(peer_of(wait))];
  const std::uint64_t waiting = ring == nullptr ? 0 : read(ring->waiting);
  // One that has given up waiting waited too, and was the first to know.
  if (waiting != TraceRing::in_wait) return waiting == TraceRing::gave_up;
  const auto now = std::chrono::steady_clock::now();
  const std::uint64_t count = read(ring->alive);
  if (count != heartbeat_.count) heartbeat_ = {count, now};
  return now - heartbeat_.changed < silence;
}

void Trace::set_timeout(std::chrono::duration<double> timeout) {
  timeout_seconds_ = timeout.count();
}

std::chrono::duration<double> Trace::timeout() const {
  return std::chrono::duration<double>(timeout_seconds_.load());
}

std::optional<std::string> Trace::overdue() const {
  const std::lock_guard lock(mutex_);
  if (!wait_) return std::nullopt;
  std::uint64_t& alive = rings_[static_cast<std::size_t>(world_rank_)]->alive;
  write(alive, read(alive) + 1);
  const double waited =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - wait_->since).count();
  if (waited >= look_for_ended_seconds) {
    const std::vector<int> gone = ended(*wait_);
    const bool mine = is_reporter(*wait_, gone) || waited >= second_reporter_seconds;
    if (!gone.empty() && mine)
      return report(*wait_, waited,
                    list_ranks(gone, *wait_) + (gone.size() == 1 ? " has" : " have") + " ended");
  }
  const bool message = is_message(wait_->signature.kind);
  const bool in_chain = message && peer_waits(*wait_);
  const double limit = timeout().count() + (in_chain ? next_in_chain_seconds : 0);
  if (waited < limit) return std::nullopt;
  const std::vector<int> missing =
      message ? std::vector<int>{} : wait_->group->missing(wait_->sequence);
  if (!is_reporter(*wait_, missing) && waited < limit + second_reporter_seconds)
    return std::nullopt;
  return report(*wait_, waited, blame(*wait_, missing));
}

void Trace::throw_if_overdue() const {
  if (const std::optional<std::string> message = overdue()) {
    throw Error(ExitCode::communication, *message);
  }
}

bool Trace::is_reporter(const Wait& wait, std::span<const int> missing) {
  int reporter = 0;
  while (std::ranges::find(missing, reporter) != missing.end()) ++reporter;
  return is_message(wait.signature.kind) || reporter == wait.group->rank();
}

std::string Trace::blame(const Wait& wait, std::span<const int> missing) const {
  const bool one = missing.size() == 1;
  if (is_message(wait.signature.kind)) {
    const int peers[] = {wait.signature.peer};
    const bool sends = wait.signature.kind == CallKind::send;
    return list_ranks(peers, wait) + (sends ? " has not received it" : " has not sent it") +
           (peer_waits(wait) ? "; it waits itself" : "");
  }
  if (!missing.empty())
    return list_ranks(missing, wait) + (one ? " has" : " have") + " not entered it";
  const std::vector<int> unfinished = wait.group->unfinished(wait.sequence);
  if (unfinished.empty())
    return "every rank that is seen from here has entered it, but it has not finished";
  return list_ranks(unfinished, wait) + (unfinished.size() == 1 ? " has" : " have") +
         " entered it, but not done its part";
}

std::string Trace::report(const Wait& wait, double seconds, const std::string& blame) const {
  reported_ = true;
  write(rings_[static_cast<std::size_t>(world_rank_)]->waiting, TraceRing::gave_up);
  const std::string about = wait.about ? text(" (", *wait.about, ")") : "";
  std::string message =
      text(wait.signature, about, ", operation #", wait.sequence, " of group '", wait.group_name,
           "' of ", wait.world_ranks.size(), ", has waited ", seconds, " s: ", blame);
  message += ". Last calls:";
  for (std::size_t rank = 0; rank < rings_.size(); ++rank) {
    if (rings_[rank] != nullptr)
      message += text("\n  rank ", rank, ": ", last_calls(*rings_[rank]));
  }
  return message +
         "\nLook for the first error of a rank that is missing; if it is only slow, raise "
         "communication.timeout";
}

}  // namespace boostr
