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

 private:
  void read_from(int rank);

  const SharedBoard& board_;
  const Call& call_;
  std::uint64_t sequence_;
  bool read_ = false;
};

/// A large all_reduce in place in such buffers: each rank reduces its 1/size of all inputs, and
/// when all have, copies the others' parts. Nobody else reads what a rank writes before that.
class DirectReduction final : public Exchange {
 public:
  DirectReduction(const SharedBoard& board, const Call& call, std::uint64_t sequence)
      : board_(board), call_(call), sequence_(sequence) {}
  Step advance() override;

 private:
  enum class Phase : std::uint8_t { reduce, copy, leave };

  /// First element of a rank's part.
  std::int64_t begin_of(int rank) const;
  void reduce_part();
  void copy_parts();

  const SharedBoard& board_;
  const Call& call_;
  std::uint64_t sequence_;
  Phase phase_ = Phase::reduce;
};

/// The exchange of these for the call, alike on all ranks; null if it is for staging.
std::unique_ptr<Exchange> direct_exchange(const SharedBoard& board, const Call& call,
                                          std::uint64_t sequence);

}  // namespace boostr
