#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parallel/comm/communicator.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/recipe.h"

namespace boostr {

/// The first number of a mesh's training that is not that of one process.
struct Difference {
  std::int64_t step = 0;
  int rank = 0;
  std::string what;   ///< "loss", "gradient norm", "gradient of model.norm.weight", "value of ..."
  std::string where;  ///< indices in the global tensor: "[3, 17]"; empty of a scalar
  double expected = 0;  ///< of one process
  double actual = 0;
  double error = 0;  ///< |actual - expected|, relative to the largest magnitude of the tensor
};

/// What verify_training found; alike on every rank.
struct Verification {
  std::int64_t steps = 0;           ///< that were compared
  std::int64_t numbers = 0;         ///< that were compared, on all ranks
  double largest_error = 0;         ///< of all that were compared
  std::optional<Difference> first;  ///< beyond the tolerance
};

struct VerifyOptions {
  std::int64_t steps = 5;
  double tolerance = 0;  ///< of errors as Difference has them
};

/// What a step of a training came to.
struct TrainedStep {
  double loss = 0;
  double grad_norm = 0;
  std::vector<CheckpointTensor> tensors;  ///< gradients, updated parameters and moments
};

/// A recipe's training in one process, in the microbatches of its mesh.
class OneProcess {
 public:
  explicit OneProcess(const Recipe& recipe);
  ~OneProcess();
  OneProcess(const OneProcess&) = delete;
  OneProcess& operator=(const OneProcess&) = delete;

  /// The next step; its tensors are views until the one after.
  TrainedStep step();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// Trains the recipe's first steps from fresh weights on its mesh over the ranks of `world`. Compares
/// the loss, the norm and all elements of all gradients and of all updated parameters after each
/// step with `reference(step)`, which counts from 1, and stops after the first step in which one
/// differs. Writes no file. Collective.
Verification verify_against(const std::function<TrainedStep(std::int64_t step)>& reference,
                            const Recipe& recipe, Communicator& world,
                            const VerifyOptions& options);

/// The same with a process that every rank is by itself.
Verification verify_training(const Recipe& recipe, Communicator& world,
                             const VerifyOptions& options);

}  // namespace boostr
