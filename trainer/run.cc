#include "trainer/run.h"

#include "trainer/training_run.h"

namespace boostr {

ExitCode run_training(const Recipe& recipe, Communicator& world, const RunOptions& options) {
  TrainingRun run(recipe, world, options);
  return run.train();
}

}  // namespace boostr
