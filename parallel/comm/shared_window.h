#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "parallel/comm/shared_operation.h"

namespace boostr {

/// all_reduce in place in allocate_shared memory, without copies. The buffer is cut into pieces of
/// 64 KB; whichever rank has time claims the next one, reduces it over all ranks' windows in rank
/// order and writes the result into all of them. A rank that arrives late finds the work done.
class WindowReduction final : public Exchange {
 public:
  /// buffers[r]: where rank r's buffer lies.
  WindowReduction(const SharedBoard& board, const Call& call, std::uint64_t sequence,
                  std::vector<std::byte*> buffers);
  Step advance() override;

 private:
  void reduce_piece(std::int64_t piece);

  Signature signature_;
  PieceCounter& counter_;
  std::uint64_t tag_;  // the low half of the sequence number, in the upper 32 bits
  std::vector<std::byte*> buffers_;
  std::int64_t piece_elements_;
  std::uint64_t num_pieces_;
};

/// Any other collective whose inputs lie in allocate_shared memory: each rank computes its own
/// result from the others' inputs where they lie; done when every rank has.
class WindowExchange final : public Exchange {
 public:
  WindowExchange(const SharedBoard& board, const Call& call, std::uint64_t sequence,
                 std::vector<std::byte*> inputs);
  Step advance() override;

 private:
  const SharedBoard& board_;
  const Call& call_;
  std::uint64_t sequence_;
  std::vector<std::byte*> inputs_;
  bool read_ = false;
};

}  // namespace boostr
