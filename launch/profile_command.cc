#include "launch/profile_command.h"

#include <fmt/format.h>

#include "launch/ranks.h"

namespace boostr {

int profile_command(const LoadedRecipe& loaded, const ProfileOptions& options) {
  return run_on_ranks(loaded.recipe, [&](Communicator& world) {
    const std::string table = profile_training(loaded.recipe, world, options);
    if (world.rank() == 0)
      fmt::print("{}\ntrace: {} (opens in https://ui.perfetto.dev or chrome://tracing)\n", table,
                 options.trace);
    return static_cast<int>(ExitCode::ok);
  });
}

}  // namespace boostr
