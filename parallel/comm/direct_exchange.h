#pragma once

#include <cstddef>
#include <cstdint>

#include "parallel/comm/shared_operation.h"

namespace boostr {

/// Smaller inputs are staged: calling the system for them would cost more than copying twice.
inline constexpr std::size_t direct_bytes = 64 << 10;

/// A large all_gather or broadcast between private buffers of ranks that may read each other's
/// memory: every rank copies the others' inputs from where they lie. Done when every rank has.
class DirectExchange final : public Exchange {
 public:
  DirectExchange(const SharedBoard& board, const Call& call, std::uint64_t sequence)
      : board_(board), call_(call), sequence_(sequence) {}
  Step advance() override;

  /// Whether it can be used, alike on all ranks.
  static bool serves(const SharedBoard& board, const Call& call);

 private:
  void read_from(int rank);

  const SharedBoard& board_;
  const Call& call_;
  std::uint64_t sequence_;
  bool read_ = false;
};

}  // namespace boostr
