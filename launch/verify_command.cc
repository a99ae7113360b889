#include "launch/verify_command.h"

#include <fmt/format.h>

#include <algorithm>

#include "launch/ranks.h"
#include "launch/threads.h"
#include "parallel/comm/threads.h"
#include "trainer/collective_timeout.h"
#include "trainer/metrics/console.h"

namespace boostr {
namespace {

/// Errors relative to a tensor's largest magnitude that rounding alone makes in some steps.
double tolerance_of(const std::string& precision) {
  if (precision == "f64") return 1e-10;
  return precision == "f32" ? 1e-3 : 5e-2;
}

std::string described(const Verification& result, int ranks, const std::string& precision) {
  const std::string head = fmt::format(
      "{} rank{} against one process, {}, {} step{}: {} numbers, largest relative error {:.1e}\n",
      ranks, ranks == 1 ? "" : "s", precision, result.steps, result.steps == 1 ? "" : "s",
      grouped(result.numbers), result.largest_error);
  if (!result.first) return head + "no loss, gradient or parameter differs\n";
  const Difference& first = *result.first;
  return head + fmt::format(
                    "the first that differs: {}{}{} of step {} on rank {}: {:.17g}, not {:.17g} "
                    "(relative error {:.1e})\n",
                    first.what, first.where.empty() ? "" : " ", first.where, first.step, first.rank,
                    first.actual, first.expected, first.error);
}

int verify_on(Communicator& world, const Recipe& recipe, const VerifyOptions& options) {
  const Verification result = verify_training(recipe, world, options);
  if (world.rank() == 0)
    fmt::print("{}", described(result, world.size(), recipe.precision.compute));
  return static_cast<int>(result.first ? ExitCode::numeric : ExitCode::ok);
}

int verify_on_threads(int ranks, const Recipe& recipe, const VerifyOptions& options) {
  int code = 0;
  run_ranks(
      ranks,
      [&](Communicator& world) {
        set_num_threads(threads_of_this_rank(world, recipe.training.threads));
        const int mine = verify_on(world, recipe, options);
        if (world.rank() == 0) code = mine;
      },
      CollectiveTimeout(recipe.communication.timeout).between_steps());
  return code;
}

}  // namespace

int ranks_of(const ParallelismSection& mesh) {
  return std::max(mesh.data_parallel_replicate_degree, 1) *
         std::max(mesh.data_parallel_shard_degree, 1) * mesh.tensor_parallel_degree *
         mesh.pipeline_parallel_degree;
}

int verify_command(const LoadedRecipe& loaded, const VerifyRequest& request) {
  Recipe recipe = loaded.recipe;
  if (request.precision == "f64") recipe.precision.compute = "f64";
  VerifyOptions options = request.options;
  if (options.tolerance == 0) options.tolerance = tolerance_of(recipe.precision.compute);
  if (request.on_threads) return verify_on_threads(request.ranks, recipe, options);
  return run_on_ranks(recipe,
                      [&](Communicator& world) { return verify_on(world, recipe, options); });
}

}  // namespace boostr
