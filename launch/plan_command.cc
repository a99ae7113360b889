#include "launch/plan_command.h"

#include <ostream>

#include "launch/verify_command.h"
#include "trainer/plan/plan.h"
#include "trainer/plan/this_device.h"

namespace boostr {

int plan_command(const LoadedRecipe& loaded, const PlanOptions& options, std::ostream& out) {
  const int ranks = options.ranks > 0 ? options.ranks : ranks_of(loaded.recipe.parallelism);
  check_ranks(loaded, ranks);
  const HostShare share = share_of_this_host(ranks, loaded.recipe.training.threads);
  const bool is_this = options.device == "this";
  const DeviceModel device =
      is_this ? this_device(share, dtype_named(loaded.recipe.precision.compute))
              : known_device(options.device);
  const Plan plan = make_plan(loaded.recipe, ranks, device, is_this ? share.threads : 1);
  out << (options.json ? plan_json(plan, device) : plan_text(plan, device));
  return static_cast<int>(ExitCode::ok);
}

}  // namespace boostr
