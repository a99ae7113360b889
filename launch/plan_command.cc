#include "launch/plan_command.h"

#include <ostream>

#include "launch/verify_command.h"
#include "trainer/plan/plan_report.h"
#include "trainer/plan/this_device.h"
#include "trainer/trainer.h"

namespace boostr {
namespace {

/// Of those that --search finds.
constexpr std::size_t listed_layouts = 10;

}  // namespace

int plan_command(const LoadedRecipe& loaded, int ranks, const PlanOptions& options,
                 std::ostream& out) {
  if (ranks == 0) ranks = ranks_of(loaded.recipe.parallelism);
  check_ranks(loaded, ranks);
  const HostShare share = share_of_this_host(ranks, loaded.recipe.training.threads);
  const bool is_this = options.device == "this";
  const DeviceModel device = is_this
                                 ? this_device(share, dtype_named(loaded.recipe.precision.compute))
                                 : known_device(options.device);
  const int threads = is_this ? share.threads : 1;
  PlanReport report{make_plan(loaded.recipe, ranks, device, threads), {}, {}};
  if (!report.plan.fits()) report.nearest = nearest_layout(report.plan, device, threads);
  if (options.search) report.best = best_layouts(report.plan, device, threads, listed_layouts);
  out << (options.json ? plan_json(report, device) : plan_text(report, device));
  return static_cast<int>(ExitCode::ok);
}

}  // namespace boostr
