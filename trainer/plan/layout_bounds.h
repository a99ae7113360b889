#pragma once

#include <array>
#include <map>
#include <mutex>
#include <string>
#include <tuple>

#include "models/recomputation.h"
#include "trainer/plan/plan.h"

namespace boostr {

/// What the plans of layouts of one model come to at least, for much less than a plan takes: from
/// what a layer, the embedding and the head ask of a rank. Safe to use from several threads.
class LayoutBounds {
 public:
  /// `device` must outlive it; `threads` as make_plan has it.
  LayoutBounds(const ModelConfig& model, const DeviceModel& device, int threads);

  struct Least {
    double seconds = 0;  ///< of the passes of a step, without messages, data parallelism and update
    double bytes = 0;    ///< in the device's memory, of the rank that holds most
  };
  Least of(const MeshedRecipe& meshed, const PipelineLayout& layout);

 private:
  /// What links of the chain add to a pass of their chunk: to its peak at least so much.
  struct PassNeeds {
    double seconds = 0;
    PieceMemory memory;
  };
  using ChunkNeeds = std::array<PassNeeds, 3>;  ///< F, B and W
  /// Of a chain whose layers are all computed again alike.
  struct Links {
    std::once_flag measured;
    ChunkNeeds layer, embed, head;
    ChunkNeeds input;  ///< of a chunk that does not embed
  };
  /// Tensor degree, sequence parallelism, microbatch, whether backwards are split, recomputation.
  using Key = std::tuple<int, bool, std::int64_t, bool, ActivationCheckpoint>;

  static ChunkNeeds sum(const ChunkNeeds& a, double times, const ChunkNeeds& b);
  const Links& links(const Recipe& recipe, bool splits_backward, ActivationCheckpoint mode);
  void measure(Links& links, const Recipe& recipe, bool splits_backward,
               const std::string& mode) const;
  ChunkNeeds needs(const Recipe& recipe, const ModelPart& part, bool splits_backward);
  double parameters(const ModelPart& part) const;

  const DeviceModel& device_;
  int threads_;
  double layer_parameters_ = 0, embed_parameters_ = 0, head_parameters_ = 0;
  std::mutex mutex_;
  std::map<Key, Links> links_;
};

}  // namespace boostr
