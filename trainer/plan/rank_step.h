#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "models/model.h"
#include "ops/autograd.h"
#include "parallel/mesh.h"
#include "parallel/zero/zero.h"
#include "trainer/optimizer.h"
#include "trainer/recipe.h"
#include "trainer/training_pipeline.h"

namespace boostr {

/// A rank of a mesh, as the recipe would have it.
struct RankRequest {
  Recipe recipe;          ///< as it resolves on the mesh
  MeshDegrees degrees;    ///< all known
  PipelineLayout layout;  ///< of the recipe's pipeline there
  int stage = 0;          ///< of it; of the other axes the rank is the first
  int threads = 1;        ///< of its kernels
};

/// One rank's training steps without data: model, gradients and optimizer as the trainer has them,
/// on random tokens, so that whoever watches learns what a step takes. Chunks of a pipeline run one
/// after another; what comes from other stages is made up.
class RankStep {
 public:
  /// The pieces of a step. Where the backward is not split, backward is all of it.
  enum class Piece : std::uint8_t { forward, backward, weights, update };
  struct Place {
    Piece piece = Piece::forward;
    std::size_t microbatch = 0;  ///< among those that run
    std::size_t chunk = 0;
  };
  /// Called for each piece of a step, in order; it must call `run` once.
  using Watch = std::function<void(const Place&, const std::function<void()>& run)>;

  /// Collective over `world`, which must outlive it and the request.
  RankStep(const RankRequest& request, Communicator& world);

  /// How many microbatches of a step are like each that runs: the first overwrites gradients, the
  /// others add to them, the last one sends them off.
  const std::vector<std::int64_t>& microbatches() const { return microbatches_; }
  std::size_t num_chunks() const { return parts_.size(); }
  std::int64_t num_parameters() const;  ///< of the whole model
  double flops_per_sequence() const { return model_->flops_per_sequence(recipe_.training.seq_len); }
  /// What the optimizer of the rank that updates most has, as a multiple of what the first one's
  /// has: padding lies in the pieces of some.
  double most_updated() const;
  /// That a checkpoint in the background is copied to.
  std::int64_t checkpoint_bytes() const;
  /// Bytes of the residual stream that goes from one stage to another.
  double message_bytes() const;

  /// One optimizer step, with only the microbatches that differ.
  void step(const Watch& watch);
  /// One with all of them, in the order of the pipeline's schedule.
  void whole_step();

 private:
  /// What a microbatch holds of one chunk from F to W.
  struct InFlight {
    Tensor input, output;
    WeightGrads weight_grads;
  };

  Shape stream_shape() const;
  std::vector<std::int32_t> ids(std::int64_t rows);
  Tensor microbatch_ids();
  void forward(const ModelPart& part, InFlight& in_flight);
  void backward(InFlight& in_flight) const;
  void microbatch(std::size_t index, const Watch& watch);
  void update();
  /// What follows when gradients are reduced.
  void finish();

  const RankRequest& request_;
  const Recipe& recipe_;
  Communicator& world_;
  Mesh mesh_;
  DType dtype_;
  TensorParallel tp_;
  std::unique_ptr<Model> model_;
  std::vector<ModelPart> parts_;
  TrainingPipeline pipeline_;
  bool splits_backward_;
  std::unique_ptr<Zero> zero_;
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<std::int64_t> microbatches_;
  std::uint32_t random_ = 1;
};

}  // namespace boostr
