#include "parallel/comm/shared_board.h"

#include <cstring>
#include <type_traits>
#include <utility>

namespace boostr {

static_assert(std::is_trivially_copyable_v<RankBlock>);
static_assert(std::atomic_ref<std::uint64_t>::is_always_lock_free, "processes share these words");

SharedBoard::SharedBoard(int rank, SharedSegments memory, ReadPeer reader)
    : read_peer(std::move(reader)), rank_(rank), memory_(std::move(memory)) {}

bool SharedBoard::slot_is_free(std::uint64_t sequence) const {
  return sequence < slots || everyone_left(sequence - slots);
}

void SharedBoard::enter(std::uint64_t sequence, const Call& call) {
  CallSlot& mine = slot(rank_, sequence);
  mine.signature = call.signature;
  mine.window = -1;
  mine.address = reinterpret_cast<std::uint64_t>(call.input);
  const std::size_t bytes = call.input_bytes(size());
  if (bytes <= inline_bytes) {
    if (call.input != nullptr && bytes > 0) std::memcpy(mine.payload, call.input, bytes);
  } else {
    for (std::size_t i = 0; i < windows_.size(); ++i) {
      const std::byte* begin = windows_[i].base[rank_];
      if (call.input < begin || call.input + bytes > begin + windows_[i].bytes) continue;
      mine.window = static_cast<std::int64_t>(i);
      mine.offset = static_cast<std::uint64_t>(call.input - begin);
    }
  }
  publish(mine.entered, sequence + 1);
}

bool SharedBoard::everyone_entered(std::uint64_t sequence) const {
  for (int rank = 0; rank < size(); ++rank) {
    if (load(slot(rank, sequence).entered) != sequence + 1) return false;
  }
  return true;
}

bool SharedBoard::everyone_passed(std::uint64_t CallSlot::*word, std::uint64_t sequence) const {
  for (int rank = 0; rank < size(); ++rank) {
    if (load(slot(rank, sequence).*word) < sequence + 1) return false;
  }
  return true;
}

void SharedBoard::check_signatures(std::uint64_t sequence) const {
  const Signature& mine = slot(rank_, sequence).signature;
  for (int rank = 0; rank < size(); ++rank) {
    check_same(mine, rank_, slot(rank, sequence).signature, rank, sequence);
  }
}

std::vector<std::byte*> SharedBoard::inputs_in_windows(std::uint64_t sequence,
                                                       const Call& call) const {
  std::vector<std::byte*> inputs(static_cast<std::size_t>(size()), nullptr);
  for (int rank = 0; rank < size(); ++rank) {
    if (!call.contributes(rank)) continue;
    const CallSlot& theirs = slot(rank, sequence);
    if (theirs.window < 0) return {};
    inputs[rank] = windows_[static_cast<std::size_t>(theirs.window)].base[rank] + theirs.offset;
  }
  return inputs;
}

bool SharedBoard::all_reached(std::uint64_t RankBlock::*word, std::uint64_t value) const {
  for (int rank = 0; rank < size(); ++rank) {
    if (load(block(rank).*word) < value) return false;
  }
  return true;
}

}  // namespace boostr
