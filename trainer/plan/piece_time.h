#pragma once

#include <array>
#include <vector>

#include "parallel/pipeline/schedule.h"
#include "trainer/plan/device_model.h"

namespace boostr {

/// Bytes that a rank sends in a step, or seconds that it spends on that, by axis of the mesh.
struct ByAxis {
  double dp = 0, tp = 0, pp = 0;
  double sum() const { return dp + tp + pp; }
  /// The axis that a group lies along.
  double& along(const std::string& group) {
    if (group == "pp") return pp;
    return group.starts_with("tp") ? tp : dp;
  }
};

/// How long a piece of a step takes.
struct PieceTime {
  double kernels = 0;
  ByAxis wire;
  /// Between the beginning and the end of a pass: what other ranks of the layer add is waited for.
  double pass() const { return kernels + wire.tp; }
};

PieceTime time_of(const PieceRecord& piece, const DeviceModel& device);

/// What the passes of a microbatch through a chunk hold: F, B and W.
using ChunkMemory = std::array<PieceMemory, 3>;
ChunkMemory memory_of(const ChunkRecord& chunk);

/// The most that a rank's passes hold at once, in their order, where every microbatch holds of the
/// rank's chunks as much as `chunks` say.
double peak_activations(const Schedule& schedule, int rank, const std::vector<ChunkMemory>& chunks);

}  // namespace boostr
