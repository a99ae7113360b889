#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "parallel/comm/call.h"
#include "parallel/comm/transport.h"

namespace boostr {

/// Words that several ranks read and one (or, in PieceCounter, any) writes. Plain integers accessed
/// atomically, because zero-filled shared memory is a valid initial state for them.
inline std::uint64_t load(const std::uint64_t& word) {
  return std::atomic_ref(const_cast<std::uint64_t&>(word)).load(std::memory_order_acquire);
}
inline void publish(std::uint64_t& word, std::uint64_t value) {
  std::atomic_ref(word).store(value, std::memory_order_release);
}

/// How many collectives of one group may be in flight before a start waits for the oldest.
inline constexpr std::uint64_t slots = 64;
/// A rank's input up to this size travels in its slot: one synchronisation, no staging.
inline constexpr std::size_t inline_bytes = 4096;
/// Larger inputs outside shared windows pass through staging in rounds of this size.
inline constexpr std::size_t staging_bytes = std::size_t{1} << 20;

/// One rank's entry into one collective, written by that rank only.
struct CallSlot {
  std::uint64_t entered;  ///< 1 + sequence once everything below is valid
  std::uint64_t left;     ///< 1 + sequence once this rank needs no other rank's memory for it
  std::uint64_t reduced;  ///< 1 + sequence once its part of a DirectReduction is in place
  Signature signature;
  std::int64_t window;    ///< index of the shared window that holds the input, or -1
  std::uint64_t offset;   ///< of the input in this rank's segment of the window
  std::uint64_t address;  ///< of the input, for this rank
  alignas(64) std::byte payload[inline_bytes];
};

/// Hands out the pieces of a reduction in shared windows to whichever rank has time. Both words are
/// the low half of the sequence number (upper 32 bits) and a count (lower 32 bits), so they need no
/// reset.
struct PieceCounter {
  std::uint64_t claimed;
  std::uint64_t finished;
};

/// What each rank shows the others.
struct RankBlock {
  alignas(64) std::uint64_t filled;   ///< rounds of staging that hold this rank's input
  alignas(64) std::uint64_t reduced;  ///< rounds whose piece this rank has reduced
  alignas(64) std::uint64_t drained;  ///< rounds that this rank has read
  alignas(64) CallSlot slot[slots];
  PieceCounter pieces[slots];  ///< in use in rank 0's block
  alignas(64) std::byte staging[2][staging_bytes];
};

/// The memory through which the ranks of one group meet, as one rank sees it.
class SharedBoard {
 public:
  SharedBoard(int rank, SharedSegments memory, ReadPeer read_peer);

  int rank() const { return rank_; }
  int size() const { return static_cast<int>(memory_.base.size()); }
  RankBlock& block(int rank) const { return *reinterpret_cast<RankBlock*>(memory_.base[rank]); }
  CallSlot& slot(int rank, std::uint64_t sequence) const {
    return block(rank).slot[sequence % slots];
  }
  PieceCounter& pieces(std::uint64_t sequence) const { return block(0).pieces[sequence % slots]; }

  /// Whether every rank has left the collective that used this slot before.
  bool slot_is_free(std::uint64_t sequence) const;
  /// Publishes this rank's call.
  void enter(std::uint64_t sequence, const Call& call);
  bool everyone_entered(std::uint64_t sequence) const;
  bool everyone_reduced(std::uint64_t sequence) const {
    return everyone_passed(&CallSlot::reduced, sequence);
  }
  bool everyone_left(std::uint64_t sequence) const {
    return everyone_passed(&CallSlot::left, sequence);
  }
  /// Throws Error(communication) if another rank called something else.
  void check_signatures(std::uint64_t sequence) const;
  /// Where each rank's input lies if all that matter lie in windows; empty otherwise.
  std::vector<std::byte*> inputs_in_windows(std::uint64_t sequence, const Call& call) const;
  /// Whether every rank's word has reached `value`.
  bool all_reached(std::uint64_t RankBlock::*word, std::uint64_t value) const;

  /// Reads private memory; empty if that is not allowed.
  const ReadPeer read_peer;

  void add_window(SharedSegments window) { windows_.push_back(std::move(window)); }

  std::uint64_t next_sequence = 0;
  /// Collectives choose their mode in order, so every rank uses the staging rounds alike.
  std::uint64_t next_decision = 0;
  std::uint64_t planned_rounds = 0;
  std::uint64_t drained_rounds = 0;

 private:
  /// Whether this word of every rank's slot is that of the collective, or of a later one.
  bool everyone_passed(std::uint64_t CallSlot::*word, std::uint64_t sequence) const;

  int rank_;
  SharedSegments memory_;
  std::vector<SharedSegments> windows_;
};

}  // namespace boostr
