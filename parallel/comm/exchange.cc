#include "parallel/comm/exchange.h"

#include <cstring>
#include <vector>

#include "parallel/comm/reduce.h"

namespace boostr {
namespace {

void copy(std::byte* to, const std::byte* from, std::int64_t elements, std::size_t element_bytes) {
  if (to != from && elements > 0) {
    std::memcpy(to, from, static_cast<std::size_t>(elements) * element_bytes);
  }
}

}  // namespace

void finish_slice(const Call& call, int rank, const Slice& slice) {
  const auto width = static_cast<std::int64_t>(call.element_bytes());
  std::byte* output = call.output + slice.first * width;
  const std::int64_t own_piece = slice.stride * rank * width;
  const int size = static_cast<int>(slice.inputs.size());
  switch (call.signature.kind) {
    case CallKind::all_reduce:
      return reduce_in_order({&output, 1}, slice.inputs, call.signature.dtype, slice.count,
                             call.signature.reduce);
    case CallKind::reduce_scatter: {
      std::vector<const std::byte*> pieces(slice.inputs.begin(), slice.inputs.end());
      for (const std::byte*& piece : pieces) piece += own_piece;
      return reduce_in_order({&output, 1}, pieces, call.signature.dtype, slice.count,
                             call.signature.reduce);
    }
    case CallKind::all_gather:
    case CallKind::split:
      for (int r = 0; r < size; ++r) {
        copy(output + r * call.signature.numel * width, slice.inputs[r], slice.count, width);
      }
      return;
    case CallKind::all_to_all:
      for (int r = 0; r < size; ++r) {
        copy(output + r * call.signature.numel * width, slice.inputs[r] + own_piece, slice.count,
             width);
      }
      return;
    case CallKind::broadcast:
      return copy(output, slice.inputs[call.signature.peer], slice.count, width);
    case CallKind::barrier:
    case CallKind::allocate_shared:
    case CallKind::send:
    case CallKind::recv:
      return;
  }
}

void pack_slice(const Call& call, int size, std::byte* packed, std::int64_t stride,
                std::int64_t first, std::int64_t count) {
  const auto width = static_cast<std::int64_t>(call.element_bytes());
  for (int piece = 0; piece < call.input_pieces(size); ++piece) {
    copy(packed + piece * stride * width,
         call.input + (piece * call.signature.numel + first) * width, count, call.element_bytes());
  }
}

}  // namespace boostr
