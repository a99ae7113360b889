#pragma once

#include <memory>
#include <vector>

#include "kernels/runtime/memory_ledger.h"
#include "parallel/comm/group.h"
#include "parallel/comm/shared_board.h"
#include "parallel/comm/transport.h"

namespace boostr {

/// A group whose ranks share memory: threads of one process, or processes of one host. See
/// SharedOperation for how bytes travel.
class SharedGroup final : public Group {
 public:
  /// Collective over the transport's ranks.
  explicit SharedGroup(std::unique_ptr<Transport> transport);

  int rank() const override { return board_->rank(); }
  int size() const override { return board_->size(); }
  std::string_view transport() const override { return transport_->name(); }
  Progress& progress() override { return transport_->progress(); }

  std::shared_ptr<Operation> start(const Call& call) override;
  std::unique_ptr<Group> subset(std::span<const int> members, int number) override;
  std::byte* allocate_shared(std::size_t bytes) override;
  std::vector<int> missing(std::uint64_t sequence) const override;
  std::vector<int> unfinished(std::uint64_t sequence) const override;
  void abort(ExitCode code, const std::string& reason) override;

 private:
  std::unique_ptr<Transport> transport_;
  std::shared_ptr<SharedBoard> board_;  // shared with the operations in flight
  std::vector<MemoryCharge> charges_;   // for this rank's part of the board and the windows
};

}  // namespace boostr
