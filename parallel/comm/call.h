#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string_view>

#include "kernels/runtime/dtype.h"
#include "parallel/comm/communicator.h"

namespace boostr {

enum class CallKind : std::uint8_t {
  barrier,
  all_reduce,
  reduce_scatter,
  all_gather,
  all_to_all,
  broadcast,
  allocate_shared,
  split,
  send,
  recv
};

/// "all_reduce", ...
std::string_view name(CallKind kind);

/// Whether it is between two ranks, no collective.
constexpr bool is_message(CallKind kind) {
  return kind == CallKind::send || kind == CallKind::recv;
}

/// What every rank must pass alike to one collective. Plain data: it lies in shared memory and
/// travels in messages.
struct Signature {
  CallKind kind = CallKind::barrier;
  ReduceOp reduce = ReduceOp::sum;
  DType dtype = DType::u8;
  std::int32_t peer = -1;  ///< broadcast: the root; send and recv: the other rank
  std::int64_t numel = 0;  ///< elements of one piece (see Call)
  friend bool operator==(const Signature&, const Signature&) = default;
};

/// Prints "all_reduce (sum) of 1000 f32", "broadcast of 4 i64 from rank 0".
std::ostream& operator<<(std::ostream& out, const Signature& signature);

/// Throws Error(communication) that shows both calls unless they agree. Ranks are those of the
/// group.
void check_same(const Signature& mine, int my_rank, const Signature& theirs, int their_rank,
                std::uint64_t sequence);

/// One operation as data. A *piece* is the unit the ranks exchange: the whole buffer in all_reduce
/// and broadcast, one rank's input in all_gather, 1/size of the input in reduce_scatter and
/// all_to_all.
struct Call {
  Signature signature;
  Subject about = {};  ///< of this rank's call; others need not agree
  std::int32_t tag = 0;
  const std::byte* input = nullptr;
  std::byte* output = nullptr;

  std::size_t element_bytes() const { return size_of(signature.dtype); }
  std::size_t piece_bytes() const {
    return static_cast<std::size_t>(signature.numel) * element_bytes();
  }
  /// How many pieces a rank's input consists of.
  int input_pieces(int size) const;
  std::size_t input_bytes(int size) const {
    return piece_bytes() * static_cast<std::size_t>(input_pieces(size));
  }
  /// Whether other ranks need this rank's input.
  bool contributes(int rank) const {
    return signature.kind != CallKind::broadcast || signature.peer == rank;
  }
};

}  // namespace boostr
