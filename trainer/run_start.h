#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "parallel/comm/communicator.h"
#include "parallel/mesh.h"
#include "trainer/data/dataset.h"
#include "trainer/recipe.h"
#include "trainer/tokenizer.h"

namespace boostr {

/// The degrees of the mesh that the recipe asks for.
MeshDegrees mesh_degrees(const ParallelismSection& section);

/// The recipe with training.global_batch_size filled in; Error(usage) unless it can be split over
/// `data_parallel` ranks.
Recipe with_batch_inferred(Recipe recipe, int data_parallel);

/// What training stands on: the recipe's mesh over `world`, the recipe as it resolves there, and its
/// opened data. Collective; `world` must outlive it.
struct TrainingSetup {
  TrainingSetup(const Recipe& as_written, Communicator& world);

  Mesh mesh;
  Recipe recipe;
  std::unique_ptr<Tokenizer> tokenizer;
  Dataset dataset;
};

/// FLOP/s of this rank that MFU is relative to: metrics.peak_flops, or measured now, all ranks at
/// once.
double peak_flops(const Recipe& recipe, Communicator& world);

/// What the first line of a run or resume tells.
struct StartFacts {
  int ranks = 1;
  std::string mesh;  ///< JSON
  std::int64_t parameters = 0;
  double flops_per_token = 0;
  double peak_flops = 0;  ///< all ranks
  double unigram_entropy = 0;
  std::string version;
  std::int64_t resumed_step = 0;  ///< 0: a fresh start
};
/// As members of the "start" line of metrics.jsonl.
std::string start_json(const StartFacts& facts);
/// As lines for people.
std::vector<std::string> start_lines(const StartFacts& facts, const Recipe& recipe,
                                     const Dataset& dataset);

}  // namespace boostr
