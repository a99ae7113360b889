#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "parallel/comm/call.h"

namespace boostr {

/// Elements [first, first + count) of every piece that a collective moves, as this rank sees them.
/// inputs[r] points at element `first` of rank r's first piece; its other pieces follow at
/// distances of `stride` elements.
struct Slice {
  std::span<const std::byte* const> inputs;
  std::int64_t stride = 0;
  std::int64_t first = 0;
  std::int64_t count = 0;
};

/// Computes this rank's output of the slice from all ranks' inputs. An input may be the very place
/// that its copy goes to.
void finish_slice(const Call& call, int rank, const Slice& slice);

/// Packs elements [first, first + count) of each of this rank's input pieces one after another into
/// `packed`, at distances of `stride` elements.
void pack_slice(const Call& call, int size, std::byte* packed, std::int64_t stride,
                std::int64_t first, std::int64_t count);

}  // namespace boostr
