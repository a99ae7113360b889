#include "parallel/comm/shared_group.h"

#include <utility>

#include "parallel/comm/shared_operation.h"

namespace boostr {

SharedGroup::SharedGroup(std::unique_ptr<Transport> transport)
    : transport_(std::move(transport)),
      board_(std::make_shared<SharedBoard>(
          transport_->rank(), transport_->allocate(sizeof(RankBlock)), transport_->peer_reader())) {
  const CountMemoryAs scope(MemoryUse::communication);
  charges_.emplace_back(sizeof(RankBlock));
}

std::shared_ptr<Operation> SharedGroup::start(const Call& call) {
  if (call.signature.kind == CallKind::send) return transport_->send(call);
  if (call.signature.kind == CallKind::recv) return transport_->recv(call);
  const std::uint64_t sequence = board_->next_sequence++;
  progress().wait_until([&] { return board_->slot_is_free(sequence); });
  board_->enter(sequence, call);
  auto operation = std::make_shared<SharedOperation>(board_, call, sequence);
  progress().start(operation);
  return operation;
}

std::unique_ptr<Group> SharedGroup::subset(std::span<const int> members, int number) {
  return std::make_unique<SharedGroup>(transport_->subset(members, number));
}

std::byte* SharedGroup::allocate_shared(std::size_t bytes) {
  SharedSegments window = transport_->allocate(bytes);
  std::byte* mine = window.base[static_cast<std::size_t>(rank())];
  board_->add_window(std::move(window));
  charges_.emplace_back(bytes);
  return mine;
}

std::vector<int> SharedGroup::missing(std::uint64_t sequence) const {
  std::vector<int> ranks;
  // While this rank waits for a free slot, the entries are those of an earlier collective.
  if (load(board_->slot(rank(), sequence).entered) < sequence + 1) return ranks;
  for (int rank = 0; rank < size(); ++rank) {
    if (load(board_->slot(rank, sequence).entered) < sequence + 1) ranks.push_back(rank);
  }
  return ranks;
}

std::vector<int> SharedGroup::unfinished(std::uint64_t sequence) const {
  std::vector<int> ranks;
  for (int rank = 0; rank < size(); ++rank) {
    const CallSlot& slot = board_->slot(rank, sequence);
    const bool entered = load(slot.entered) == sequence + 1;
    if (rank != this->rank() && entered && load(slot.left) < sequence + 1) ranks.push_back(rank);
  }
  return ranks;
}

void SharedGroup::abort(ExitCode code, const std::string& reason) {
  transport_->abort(code, reason);
}

}  // namespace boostr
