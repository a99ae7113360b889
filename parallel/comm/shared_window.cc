#include "parallel/comm/shared_window.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "parallel/comm/exchange.h"
#include "parallel/comm/reduce.h"

namespace boostr {
namespace {

/// Long enough to hide the claim, short enough to share the work evenly.
constexpr std::int64_t claimed_bytes = 64 << 10;
constexpr std::uint64_t count_mask = 0xffffffffu;

/// The count in a PieceCounter's word, zero if the word belongs to an earlier collective.
std::uint64_t count_of(std::uint64_t word, std::uint64_t tag) {
  return (word & ~count_mask) == tag ? word & count_mask : 0;
}

/// Adds one to the count unless it has reached `limit`; returns the count before.
std::uint64_t count_up(std::uint64_t& shared, std::uint64_t tag, std::uint64_t limit) {
  const std::atomic_ref word(shared);
  std::uint64_t seen = word.load(std::memory_order_acquire);
  while (count_of(seen, tag) < limit &&
         !word.compare_exchange_weak(seen, tag | (count_of(seen, tag) + 1),
                                     std::memory_order_acq_rel, std::memory_order_acquire)) {
  }
  return count_of(seen, tag);
}

}  // namespace

WindowReduction::WindowReduction(const SharedBoard& board, const Call& call, std::uint64_t sequence,
                                 std::vector<std::byte*> buffers)
    : signature_(call.signature),
      counter_(board.pieces(sequence)),
      tag_(sequence << 32),
      buffers_(std::move(buffers)),
      piece_elements_(claimed_bytes / static_cast<std::int64_t>(call.element_bytes())),
      num_pieces_(
          static_cast<std::uint64_t>((signature_.numel + piece_elements_ - 1) / piece_elements_)) {}

Step WindowReduction::advance() {
  bool moved = false;
  for (;;) {
    const std::uint64_t piece = count_up(counter_.claimed, tag_, num_pieces_);
    if (piece == num_pieces_) break;
    reduce_piece(static_cast<std::int64_t>(piece));
    count_up(counter_.finished, tag_, num_pieces_);
    moved = true;
  }
  if (count_of(load(counter_.finished), tag_) == num_pieces_) return Step::done;
  return moved ? Step::moved : Step::waiting;
}

void WindowReduction::reduce_piece(std::int64_t piece) {
  const std::int64_t first = piece * piece_elements_;
  const std::int64_t count = std::min(piece_elements_, signature_.numel - first);
  std::vector<std::byte*> outputs(buffers_);
  for (std::byte*& output : outputs) {
    output += first * static_cast<std::int64_t>(size_of(signature_.dtype));
  }
  const std::vector<const std::byte*> inputs(outputs.begin(), outputs.end());
  reduce_in_order(outputs, inputs, signature_.dtype, count, signature_.reduce);
}

WindowExchange::WindowExchange(const SharedBoard& board, const Call& call, std::uint64_t sequence,
                               std::vector<std::byte*> inputs)
    : board_(board), call_(call), sequence_(sequence), inputs_(std::move(inputs)) {}

Step WindowExchange::advance() {
  Step step = Step::waiting;
  if (!read_) {
    const std::vector<const std::byte*> inputs(inputs_.begin(), inputs_.end());
    const std::int64_t numel = call_.signature.numel;
    finish_slice(call_, board_.rank(),
                 {.inputs = inputs, .stride = numel, .first = 0, .count = numel});
    publish(board_.slot(board_.rank(), sequence_).left, sequence_ + 1);
    read_ = true;
    step = Step::moved;
  }
  return board_.everyone_left(sequence_) ? Step::done : step;
}

}  // namespace boostr
