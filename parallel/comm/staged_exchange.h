#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "parallel/comm/shared_operation.h"

namespace boostr {

/// A collective between private buffers: rounds of at most 1 MB pass through the ranks' staging
/// areas. Each rank fills its area, waits until all have, and reads what it needs from the others;
/// two areas alternate, so filling runs one round ahead. In large all_reduces of more than two
/// ranks each rank reduces its 1/size of the round first and the others copy it, so no rank adds
/// everything.
class StagedExchange final : public Exchange {
 public:
  /// Takes the group's next rounds.
  StagedExchange(SharedBoard& board, const Call& call);
  Step advance() override;

 private:
  bool fill();
  bool reduce();
  bool drain();
  void copy_reduced_pieces(std::uint64_t round);

  std::byte* area(int rank, std::uint64_t round) const;
  std::int64_t first_of(std::uint64_t round) const;
  std::int64_t count_of(std::uint64_t round) const;

  SharedBoard& board_;
  const Call& call_;
  std::int64_t round_elements_;  // of each piece
  bool share_reduction_;
  std::uint64_t begin_;  // this operation's rounds, in the group's count
  std::uint64_t end_;
  std::uint64_t filled_;
  std::uint64_t reduced_;
};

}  // namespace boostr
