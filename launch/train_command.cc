#include "launch/train_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <thread>

#include "launch/resume_command.h"
#include "launch/threads.h"
#include "parallel/comm/mpi.h"
#include "parallel/comm/self.h"
#include "trainer/recipe_print.h"
#include "trainer/run.h"

namespace boostr {
namespace {

std::unique_ptr<Communicator> join_world() {
  const int ranks =
      launched_ranks([](const char* name) { return static_cast<const char*>(std::getenv(name)); });
  return ranks > 1 ? mpi_world() : self_world();
}

/// Ends the whole job. An error that all ranks found together is told by rank 0, which speaks
/// first and ends the others; one that a single rank met is told by that rank a moment later.
[[noreturn]] void fail(Communicator& world, ExitCode code, const std::string& message) {
  if (world.rank() != 0) std::this_thread::sleep_for(std::chrono::seconds(2));
  const std::string where =
      world.size() > 1 ? fmt::format("[rank {}/{}] ", world.rank(), world.size()) : "";
  fmt::print(stderr, "boostr-train: error: {}{}\n", where, message);
  std::fflush(nullptr);
  world.abort(code, message);
  std::_Exit(static_cast<int>(code));
}

int run(const LoadedRecipe& loaded, const std::vector<std::string>& words, Communicator& world) {
  world.set_timeout(std::chrono::duration<double>(loaded.recipe.communication.timeout));
  set_num_threads(threads_of_this_rank(world, loaded.recipe.training.threads));
  RunOptions options;
  options.resolved_recipe = resolved_yaml(loaded.recipe);
  options.resume_command = resume_command(words, world.size(), loaded.recipe.training.steps);
  options.version = BOOSTR_VERSION;
  // Under mpirun every rank sees a terminal, whatever mpirun's own output is: no bar there.
  options.terminal = world.size() == 1 && isatty(STDOUT_FILENO) != 0;
  return static_cast<int>(run_training(loaded.recipe, world, options));
}

}  // namespace

int train_command(const LoadedRecipe& loaded, const std::vector<std::string>& words) {
  const std::unique_ptr<Communicator> world = join_world();
  try {
    return run(loaded, words, *world);
  } catch (const Error& e) {
    fail(*world, e.code(), e.what());
  } catch (const std::bad_alloc&) {
    fail(*world, ExitCode::memory,
         "out of memory; lower training.micro_batch_size or training.seq_len");
  } catch (const std::exception& e) {
    fail(*world, ExitCode::internal, e.what());
  }
}

}  // namespace boostr
