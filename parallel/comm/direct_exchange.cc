#include "parallel/comm/direct_exchange.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/runtime/buffer.h"
#include "parallel/comm/reduce.h"

namespace boostr {

Step DirectExchange::advance() {
  Step step = Step::waiting;
  if (!read_) {
    // Each begins with itself and its neighbour, so that not all read the same rank's memory.
    for (int distance = 0; distance < board_.size(); ++distance)
      read_from((board_.rank() + distance) % board_.size());
    publish(board_.slot(board_.rank(), sequence_).left, sequence_ + 1);
    read_ = true;
    step = Step::moved;
  }
  return board_.everyone_left(sequence_) ? Step::done : step;
}

void DirectExchange::read_from(int rank) {
  if (!call_.contributes(rank)) return;
  const bool gathers = call_.signature.kind == CallKind::all_gather;
  const std::size_t bytes = call_.piece_bytes();
  std::byte* to = call_.output + (gathers ? static_cast<std::size_t>(rank) * bytes : 0);
  if (rank != board_.rank())
    board_.read_peer(rank, to, board_.slot(rank, sequence_).address, bytes);
  else if (to != call_.input)
    std::memcpy(to, call_.input, bytes);
}

Step DirectReduction::advance() {
  Step step = Step::waiting;
  CallSlot& mine = board_.slot(board_.rank(), sequence_);
  if (phase_ == Phase::reduce) {
    reduce_part();
    publish(mine.reduced, sequence_ + 1);
    phase_ = Phase::copy;
    step = Step::moved;
  }
  if (phase_ == Phase::copy && board_.everyone_reduced(sequence_)) {
    copy_parts();
    publish(mine.left, sequence_ + 1);
    phase_ = Phase::leave;
    step = Step::moved;
  }
  return phase_ == Phase::leave && board_.everyone_left(sequence_) ? Step::done : step;
}

std::int64_t DirectReduction::begin_of(int rank) const {
  return call_.signature.numel * rank / board_.size();
}

void DirectReduction::reduce_part() {
  const std::size_t width = call_.element_bytes();
  const auto block = static_cast<std::int64_t>(direct_bytes / width);
  const std::int64_t end = begin_of(board_.rank() + 1);
  const Buffer copies(static_cast<std::size_t>(board_.size()) * direct_bytes);
  std::vector<const std::byte*> inputs(static_cast<std::size_t>(board_.size()));
  for (std::int64_t first = begin_of(board_.rank()); first < end; first += block) {
    const std::int64_t count = std::min(block, end - first);
    const std::size_t offset = static_cast<std::size_t>(first) * width;
    for (int rank = 0; rank < board_.size(); ++rank) {
      std::byte* copy = copies.data() + static_cast<std::size_t>(rank) * direct_bytes;
      inputs[rank] = rank == board_.rank() ? call_.input + offset : copy;
      if (rank != board_.rank())
        board_.read_peer(rank, copy, board_.slot(rank, sequence_).address + offset,
                         static_cast<std::size_t>(count) * width);
    }
    std::byte* output = call_.output + offset;
    reduce_in_order({&output, 1}, inputs, call_.signature.dtype, count, call_.signature.reduce);
  }
}

void DirectReduction::copy_parts() {
  const std::size_t width = call_.element_bytes();
  for (int distance = 1; distance < board_.size(); ++distance) {
    const int rank = (board_.rank() + distance) % board_.size();
    const std::size_t begin = static_cast<std::size_t>(begin_of(rank)) * width;
    const std::size_t end = static_cast<std::size_t>(begin_of(rank + 1)) * width;
    board_.read_peer(rank, call_.output + begin, board_.slot(rank, sequence_).address + begin,
                     end - begin);
  }
}

std::unique_ptr<Exchange> direct_exchange(const SharedBoard& board, const Call& call,
                                          std::uint64_t sequence) {
  if (!board.read_peer || call.piece_bytes() < direct_bytes) return nullptr;
  switch (call.signature.kind) {
    case CallKind::all_gather:
    case CallKind::broadcast:
      return std::make_unique<DirectExchange>(board, call, sequence);
    case CallKind::all_reduce:
      return std::make_unique<DirectReduction>(board, call, sequence);
    default:
      return nullptr;
  }
}

}  // namespace boostr
