#pragma once

#include <cstdint>
#include <memory>

#include "parallel/comm/call.h"
#include "parallel/comm/progress.h"
#include "parallel/comm/shared_board.h"

namespace boostr {

/// One way for the bytes of a collective to go, once all ranks have entered it. Done when this
/// rank's result is in place and no other rank needs its buffers.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual Step advance() = 0;
};

/// A collective among ranks that share memory. Once all ranks have entered, each sees all entries
/// and they choose alike how the bytes go:
///   - in slots: inputs of at most 4 KB were published with the entry; each rank computes its own
///     result;
///   - in windows: inputs lie in allocate_shared memory; ranks read them where they are
///     (shared_window.h);
///   - directly: a large all_gather, broadcast or all_reduce of private buffers that the ranks may
///     read (direct_exchange.h);
///   - staged: anything else passes through the ranks' staging areas in rounds (staged_exchange.h).
class SharedOperation final : public Operation {
 public:
  /// `sequence` has been entered on the board.
  SharedOperation(std::shared_ptr<SharedBoard> board, const Call& call, std::uint64_t sequence);

 private:
  Step advance() override;
  std::unique_ptr<Exchange> choose() const;

  std::shared_ptr<SharedBoard> board_;
  Call call_;
  std::uint64_t sequence_;
  std::unique_ptr<Exchange> exchange_;  // null until all ranks have entered
};

}  // namespace boostr
