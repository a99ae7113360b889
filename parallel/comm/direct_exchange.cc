#include "parallel/comm/direct_exchange.h"

#include <cstring>

namespace boostr {

bool DirectExchange::serves(const SharedBoard& board, const Call& call) {
  const CallKind kind = call.signature.kind;
  return board.read_peer && (kind == CallKind::all_gather || kind == CallKind::broadcast) &&
         call.piece_bytes() >= direct_bytes;
}

Step DirectExchange::advance() {
  Step step = Step::waiting;
  if (!read_) {
    // Each begins with its neighbour, so that not all read the same rank's memory.
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

}  // namespace boostr
