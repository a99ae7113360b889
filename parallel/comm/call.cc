#include "parallel/comm/call.h"

#include <array>
#include <ostream>

#include "kernels/runtime/error.h"

namespace boostr {

std::string_view name(CallKind kind) {
  static constexpr std::array<std::string_view, 10> names = {
      "barrier",   "all_reduce",      "reduce_scatter", "all_gather", "all_to_all",
      "broadcast", "allocate_shared", "split",          "send",       "recv"};
  return names[static_cast<std::size_t>(kind)];
}

std::ostream& operator<<(std::ostream& out, const Signature& signature) {
  out << name(signature.kind);
  const bool reduces =
      signature.kind == CallKind::all_reduce || signature.kind == CallKind::reduce_scatter;
  if (reduces) out << " (" << name(signature.reduce) << ")";
  if (signature.kind == CallKind::barrier || signature.kind == CallKind::split) return out;
  out << " of " << signature.numel << " " << signature.dtype;
  switch (signature.kind) {
    case CallKind::send:
      return out << " to rank " << signature.peer;
    case CallKind::recv:
    case CallKind::broadcast:
      return out << " from rank " << signature.peer;
    default:
      return out;
  }
}

int Call::input_pieces(int size) const {
  switch (signature.kind) {
    case CallKind::barrier:
    case CallKind::allocate_shared:
      return 0;
    case CallKind::reduce_scatter:
    case CallKind::all_to_all:
      return size;
    default:
      return 1;
  }
}

void check_same(const Signature& mine, int my_rank, const Signature& theirs, int their_rank,
                std::uint64_t sequence) {
  require(theirs == mine, ExitCode::communication, "operation #", sequence,
          " differs between the ranks of the group: rank ", my_rank, " calls ", mine, ", rank ",
          their_rank, " calls ", theirs,
          "; every rank must call the same operations with the same sizes in the same order");
}

}  // namespace boostr
