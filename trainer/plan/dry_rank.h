#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "kernels/runtime/dtype.h"
#include "kernels/runtime/memory_ledger.h"
#include "parallel/comm/dry.h"
#include "trainer/plan/rank_step.h"

namespace boostr {

/// A kernel as it was called.
struct KernelCall {
  std::string_view name;
  DType dtype = DType::f32;  ///< of its first input
  double flops = 0;
  double bytes = 0;
};

/// What a piece of a step holds, in bytes more than was held before it.
struct PieceMemory {
  double kept = 0;  ///< afterwards; negative where it lets go of what an earlier piece kept
  double peak = 0;
};

/// A piece of a step: what it asks of the device and of the other ranks, in order, and what it holds.
struct PieceRecord {
  std::vector<KernelCall> kernels;
  std::vector<WireCall> wire;
  PieceMemory activations;
};

/// One microbatch through a chunk: F, B and W. Where the backward is not split, B is all of it.
struct ChunkRecord {
  PieceRecord forward, backward, weights;
};

/// A microbatch that stands for `count` like it.
struct MicrobatchRecord {
  std::int64_t count = 1;
  std::vector<ChunkRecord> chunks;
};

/// What a step of one rank comes to.
struct RankRecord {
  /// By use, the most that is held at once; of activations what is held outside of pieces.
  std::array<double, memory_uses.size()> bytes{};
  std::vector<MicrobatchRecord> microbatches;
  PieceRecord update;
  double message_bytes = 0;       ///< of what goes from stage to stage
  std::int64_t parameters = 0;    ///< of the whole model
  double flops_per_sequence = 0;  ///< likewise

  double held(MemoryUse use) const { return bytes[static_cast<std::size_t>(use)]; }
};

/// Goes through two steps of a rank, dry: the code that trains, on kernels that only note that they
/// were called, memory that is only counted, and ranks that are not there. The second one is what
/// is told: by then all workspace is there. Opens no file.
RankRecord dry_rank(const RankRequest& request);

}  // namespace boostr
