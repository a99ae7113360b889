#pragma once

#include <string>

#include "parallel/comm/communicator.h"
#include "trainer/recipe.h"

namespace boostr {

/// What the program around a run knows that the recipe does not.
struct RunOptions {
  std::string resolved_recipe;  ///< YAML, stored with the run and in every checkpoint
  std::string resume_command;   ///< what to type to continue the run; printed at the end
  std::string version;          ///< of the code
  bool terminal = false;        ///< standard output is a terminal that this process alone writes to
};

/// Trains as the recipe says, from its start or its newest checkpoint, on the ranks of `world`;
/// collective. Everything the run leaves is under recipe.output: recipe.yaml, metrics.jsonl,
/// loss.svg, tensorboard/, checkpoints/. Returns ExitCode::ok when all steps are done,
/// ExitCode::preempted when it stopped early on request with a checkpoint saved. Throws Error.
ExitCode run_training(const Recipe& recipe, Communicator& world, const RunOptions& options);

}  // namespace boostr
