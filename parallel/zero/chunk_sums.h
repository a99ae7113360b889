#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "parallel/comm/reduced_numbers.h"
#include "parallel/zero/flat_layout.h"

namespace boostr {

/// Adds up numbers that ranks have of each chunk (norm_chunk elements) of the slices they own, for
/// whole parameters: chunk after chunk in f64, so that the sums have the same bits however many
/// pieces there are.
class ChunkSums {
 public:
  /// `group` holds the pieces of the layouts of `share`; the ranks of `model_group` hold different
  /// parameters, or different parts or copies of them (pipelines, tensor parallelism).
  ChunkSums(const ModelShare& share, const std::vector<FlatLayout>& layouts, Communicator& group,
            Communicator& model_group);

  /// The sums over every whole global parameter, in order of ModelShare::all: `width` numbers for
  /// each, alike on every rank. `mine` has `width` numbers for each chunk of each of this rank's parts,
  /// in order. Collective.
  std::vector<double> per_parameter(std::span<const double> mine, std::int64_t width = 1) const {
    return start(mine, width).wait();
  }
  /// The same, except that the ranks of `model_group` need not wait for each other yet.
  ReducedNumbers start(std::span<const double> mine, std::int64_t width = 1) const;

 private:
  /// `count` consecutive chunks of one parameter.
  struct Run {
    std::size_t parameter = 0;  ///< its number among all
    std::int64_t count = 0;
    bool counts = true;  ///< a copy of what another rank holds does not count again
  };

  Communicator& group_;
  Communicator& model_group_;
  std::size_t num_parameters_ = 0;
  std::vector<std::vector<Run>> runs_;  ///< of each rank that contributes
  std::int64_t max_chunks_ = 0;         ///< that a rank has
};

}  // namespace boostr
