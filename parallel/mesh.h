#pragma once

#include <memory>
#include <string>

#include "parallel/comm/communicator.h"

namespace boostr {

/// How many ways each axis of the mesh divides the world; -1: what the others leave (one axis at
/// most).
struct MeshDegrees {
  int pipeline = 1;
  int replicate = 1;  ///< data parallel copies that hold everything twice
  int shard = -1;     ///< data parallel ranks that ZeRO divides state over
  int tensor = 1;
  friend bool operator==(const MeshDegrees&, const MeshDegrees&) = default;
};

/// `degrees` with -1 filled in. Error(usage), with the product, unless they make up exactly
/// `ranks`.
MeshDegrees resolved(MeshDegrees degrees, int ranks);

/// The world's ranks as a grid with the axes pp, dp (replicate x shard) and tp, tp innermost:
/// rank = (pp * dp_size + dp) * tp_size + tp. A group holds the ranks that differ along its axis
/// alone.
class Mesh {
 public:
  /// Collective. `world` must outlive the mesh.
  Mesh(Communicator& world, const MeshDegrees& degrees);

  Communicator& world() { return world_; }
  Communicator& pp() { return *pp_; }
  Communicator& dp() { return *dp_; }
  /// The two factors of dp, shard innermost.
  Communicator& replicate() { return *replicate_; }
  Communicator& shard() { return *shard_; }
  Communicator& tp() { return *tp_; }
  /// The ranks that share one copy of the model: pp x tp, tp innermost.
  Communicator& model() { return *model_; }
  const MeshDegrees& degrees() const { return degrees_; }

  /// The degrees as a JSON object under their recipe keys.
  std::string describe() const;
  /// "[rank 3/8 dp 0 tp 3 pp 0]", for messages.
  std::string label() const;

 private:
  Communicator& world_;
  MeshDegrees degrees_;
  std::unique_ptr<Communicator> pp_, dp_, replicate_, shard_, tp_, model_;
};

}  // namespace boostr
