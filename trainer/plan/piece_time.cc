#include "trainer/plan/piece_time.h"

#include <algorithm>

namespace boostr {

PieceTime time_of(const PieceRecord& piece, const DeviceModel& device) {
  PieceTime time;
  for (const KernelCall& call : piece.kernels) time.kernels += device.seconds(call);
  for (const WireCall& call : piece.wire) time.wire.along(call.group) += device.seconds(call);
  return time;
}

ChunkMemory memory_of(const ChunkRecord& chunk) {
  return {chunk.forward.activations, chunk.backward.activations, chunk.weights.activations};
}

double peak_activations(const Schedule& schedule, int rank,
                        const std::vector<ChunkMemory>& chunks) {
  double held = 0, peak = 0;
  const auto run = [&](const PieceMemory& piece) {
    peak = std::max(peak, held + piece.peak);
    held += piece.kept;
  };
  for (const Pass& pass : schedule.passes[static_cast<std::size_t>(rank)]) {
    const auto& [forward, backward, weights] = chunks[static_cast<std::size_t>(pass.chunk)];
    if (pass.kind == PassKind::forward) run(forward);
    if (makes_input_gradient(pass.kind)) run(backward);
    if (makes_weight_gradients(pass.kind)) run(weights);
  }
  return peak;
}

}  // namespace boostr
