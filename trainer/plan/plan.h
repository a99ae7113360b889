#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/runtime/memory_ledger.h"
#include "models/model_part.h"
#include "parallel/mesh.h"
#include "trainer/pipeline_layout.h"
#include "trainer/plan/device_model.h"
#include "trainer/plan/piece_time.h"
#include "trainer/recipe.h"

namespace boostr {

/// One number for each use of memory.
using BytesByUse = std::array<double, memory_uses.size()>;

/// What a rank of one stage of the pipeline holds, does and sends in a step.
struct StagePlan {
  std::vector<ModelPart> parts;  ///< by chunk
  BytesByUse bytes{};
  double device_bytes = 0;  ///< those that lie in the device's memory, all together
  ByAxis wire_bytes;
  double kernel_flops = 0;    ///< with what is computed again
  double kernel_seconds = 0;  ///< of all microbatches and the update
  ByAxis wire_seconds;        ///< whether anybody waits for them or not
  double update_seconds = 0;  ///< after the last microbatch
};

/// What a recipe comes to on so many ranks of a device.
struct Plan {
  Recipe recipe;  ///< as it resolves there
  MeshDegrees mesh;
  int ranks = 1;
  std::int64_t parameters = 0;  ///< of the model
  std::int64_t microbatches = 0;
  double model_flops = 0;  ///< of a step: forward and backward, nothing twice
  std::vector<StagePlan> stages;
  double bubble_rate = 0;
  double step_seconds = 0;
  BytesByUse bytes{};       ///< by use the most of all ranks
  double most_bytes = 0;    ///< in the device's memory, of the rank that holds most
  double memory_bytes = 0;  ///< of the device
  bool fits() const { return most_bytes <= memory_bytes; }
  double tokens_per_second() const;
};

/// A recipe as it resolves on the mesh that so many ranks form under it.
struct MeshedRecipe {
  /// Error(usage) if they do not fit.
  MeshedRecipe(const Recipe& given, int num_ranks);
  int ranks = 1;
  MeshDegrees mesh;
  Recipe recipe;
};

/// The layout of a pipeline, of a recipe as it resolves on a mesh.
PipelineLayout planned_layout(const Recipe& recipe, const MeshDegrees& mesh);

/// What a step's passes take, from one step to the next: with optimizer.post_validation ranks begin the
/// next one as they end this one.
double pipeline_seconds(const Recipe& recipe, const Simulation& simulation);

/// Of a recipe on so many ranks; Error(usage) if they do not fit. `threads` of a rank's kernels count
/// for their workspace.
Plan make_plan(const Recipe& recipe, int ranks, const DeviceModel& device, int threads = 1);
/// The same where the layout is known. With the schedule `auto`, the one that a run settles on when
/// it has measured its passes, and the memory of both.
Plan make_plan(const MeshedRecipe& meshed, const PipelineLayout& layout, const DeviceModel& device,
               int threads);

}  // namespace boostr
