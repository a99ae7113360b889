#include "parallel/comm/staged_exchange.h"

#include <algorithm>
#include <cstring>

#include "parallel/comm/exchange.h"
#include "parallel/comm/reduce.h"

namespace boostr {
namespace {

/// Up to this size each rank reduces a round for itself, which saves a synchronisation.
constexpr std::size_t reduce_alone_bytes = 64 << 10;

std::int64_t cut(std::int64_t count, int piece, int pieces) { return count * piece / pieces; }

}  // namespace

StagedExchange::StagedExchange(SharedBoard& board, const Call& call)
    : board_(board),
      call_(call),
      round_elements_(static_cast<std::int64_t>(staging_bytes / call.element_bytes()) /
                      call.input_pieces(board.size())),
      share_reduction_(call.signature.kind == CallKind::all_reduce && board.size() > 2 &&
                       call.piece_bytes() > reduce_alone_bytes),
      begin_(board.planned_rounds),
      end_(begin_ + static_cast<std::uint64_t>((call.signature.numel + round_elements_ - 1) /
                                               round_elements_)),
      filled_(begin_),
      reduced_(begin_) {
  board.planned_rounds = end_;
}

Step StagedExchange::advance() {
  // The areas belong to one operation at a time.
  if (board_.drained_rounds < begin_) return Step::waiting;
  bool moved = false;
  while (board_.drained_rounds < end_ && (fill() || reduce() || drain())) moved = true;
  if (board_.drained_rounds == end_) return Step::done;
  return moved ? Step::moved : Step::waiting;
}

bool StagedExchange::fill() {
  const std::uint64_t round = filled_;
  // The area was last used two rounds ago: every rank must have read it.
  if (round == end_ || (round >= 2 && !board_.all_reached(&RankBlock::drained, round - 1))) {
    return false;
  }
  if (call_.contributes(board_.rank())) {
    pack_slice(call_, board_.size(), area(board_.rank(), round), round_elements_, first_of(round),
               count_of(round));
  }
  publish(board_.block(board_.rank()).filled, ++filled_);
  return true;
}

bool StagedExchange::reduce() {
  const std::uint64_t round = reduced_;
  if (!share_reduction_ || round == end_ || !board_.all_reached(&RankBlock::filled, round + 1)) {
    return false;
  }
  const std::int64_t begin = cut(count_of(round), board_.rank(), board_.size());
  const std::int64_t end = cut(count_of(round), board_.rank() + 1, board_.size());
  std::vector<const std::byte*> inputs;
  for (int rank = 0; rank < board_.size(); ++rank) {
    inputs.push_back(area(rank, round) + begin * static_cast<std::int64_t>(call_.element_bytes()));
  }
  std::byte* output =
      area(board_.rank(), round) + begin * static_cast<std::int64_t>(call_.element_bytes());
  reduce_in_order({&output, 1}, inputs, call_.signature.dtype, end - begin, call_.signature.reduce);
  publish(board_.block(board_.rank()).reduced, ++reduced_);
  return true;
}

bool StagedExchange::drain() {
  const std::uint64_t round = board_.drained_rounds;
  if (!board_.all_reached(share_reduction_ ? &RankBlock::reduced : &RankBlock::filled, round + 1)) {
    return false;
  }
  if (share_reduction_) {
    copy_reduced_pieces(round);
  } else {
    std::vector<const std::byte*> inputs;
    for (int rank = 0; rank < board_.size(); ++rank) inputs.push_back(area(rank, round));
    finish_slice(call_, board_.rank(),
                 {.inputs = inputs,
                  .stride = round_elements_,
                  .first = first_of(round),
                  .count = count_of(round)});
  }
  publish(board_.block(board_.rank()).drained, ++board_.drained_rounds);
  return true;
}

void StagedExchange::copy_reduced_pieces(std::uint64_t round) {
  const std::size_t width = call_.element_bytes();
  for (int rank = 0; rank < board_.size(); ++rank) {
    const std::int64_t begin = cut(count_of(round), rank, board_.size());
    const std::int64_t end = cut(count_of(round), rank + 1, board_.size());
    std::memcpy(call_.output + static_cast<std::size_t>(first_of(round) + begin) * width,
                area(rank, round) + static_cast<std::size_t>(begin) * width,
                static_cast<std::size_t>(end - begin) * width);
  }
}

std::byte* StagedExchange::area(int rank, std::uint64_t round) const {
  return board_.block(rank).staging[round % 2];
}

std::int64_t StagedExchange::first_of(std::uint64_t round) const {
  return static_cast<std::int64_t>(round - begin_) * round_elements_;
}

std::int64_t StagedExchange::count_of(std::uint64_t round) const {
  return std::min(round_elements_, call_.signature.numel - first_of(round));
}

}  // namespace boostr
