#include "parallel/comm/shared_operation.h"

#include <utility>
#include <vector>

#include "parallel/comm/direct_exchange.h"
#include "parallel/comm/exchange.h"
#include "parallel/comm/shared_window.h"
#include "parallel/comm/staged_exchange.h"

namespace boostr {
namespace {

/// Small inputs lie in the entries themselves: the result follows at once.
class SlotExchange final : public Exchange {
 public:
  SlotExchange(const SharedBoard& board, const Call& call, std::uint64_t sequence)
      : board_(board), call_(call), sequence_(sequence) {}

  Step advance() override {
    std::vector<const std::byte*> inputs(static_cast<std::size_t>(board_.size()));
    for (int rank = 0; rank < board_.size(); ++rank) {
      inputs[rank] = board_.slot(rank, sequence_).payload;
    }
    const std::int64_t numel = call_.signature.numel;
    finish_slice(call_, board_.rank(),
                 {.inputs = inputs, .stride = numel, .first = 0, .count = numel});
    return Step::done;
  }

 private:
  const SharedBoard& board_;
  const Call& call_;
  std::uint64_t sequence_;
};

}  // namespace

SharedOperation::SharedOperation(std::shared_ptr<SharedBoard> board, const Call& call,
                                 std::uint64_t sequence)
    : board_(std::move(board)), call_(call), sequence_(sequence) {}

Step SharedOperation::advance() {
  if (!exchange_) {
    if (board_->next_decision != sequence_ || !board_->everyone_entered(sequence_)) {
      return Step::waiting;
    }
    board_->check_signatures(sequence_);
    exchange_ = choose();
    ++board_->next_decision;
  }
  const Step step = exchange_->advance();
  if (step == Step::done) publish(board_->slot(board_->rank(), sequence_).left, sequence_ + 1);
  return step;
}

std::unique_ptr<Exchange> SharedOperation::choose() const {
  if (call_.input_bytes(board_->size()) <= inline_bytes) {
    return std::make_unique<SlotExchange>(*board_, call_, sequence_);
  }
  std::vector<std::byte*> inputs = board_->inputs_in_windows(sequence_, call_);
  if (inputs.empty()) {
    std::unique_ptr<Exchange> direct = direct_exchange(*board_, call_, sequence_);
    return direct ? std::move(direct) : std::make_unique<StagedExchange>(*board_, call_);
  }
  if (call_.signature.kind == CallKind::all_reduce) {
    return std::make_unique<WindowReduction>(*board_, call_, sequence_, std::move(inputs));
  }
  return std::make_unique<WindowExchange>(*board_, call_, sequence_, std::move(inputs));
}

}  // namespace boostr
