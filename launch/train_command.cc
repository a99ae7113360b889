#include "launch/train_command.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "launch/ranks.h"
#include "launch/resume_command.h"
#include "trainer/recipe_print.h"
#include "trainer/run.h"

namespace boostr {
namespace {

/// Whether standard output is a terminal whose cursor can be moved.
bool is_live_terminal() {
  const char* terminal = std::getenv("TERM");
  return isatty(STDOUT_FILENO) != 0 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

}  // namespace

int train_command(const LoadedRecipe& loaded, const std::vector<std::string>& words) {
  return run_on_ranks(loaded.recipe, [&](Communicator& world) {
    RunOptions options;
    options.resolved_recipe = resolved_yaml(loaded.recipe);
    options.resume_command = resume_command(words, world.size(), loaded.recipe.training.steps);
    options.version = BOOSTR_VERSION;
    // Under mpirun every rank sees a terminal, whatever mpirun's own output is: no bar there.
    options.terminal = world.size() == 1 && is_live_terminal();
    return static_cast<int>(run_training(loaded.recipe, world, options));
  });
}

}  // namespace boostr
