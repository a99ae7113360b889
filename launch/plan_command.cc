#include "launch/plan_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ostream>
#include <thread>

#include "launch/ranks.h"
#include "launch/verify_command.h"
#include "ops/execution.h"
#include "trainer/plan/calibration.h"
#include "trainer/plan/plan_report.h"
#include "trainer/plan/this_device.h"
#include "trainer/trainer.h"

namespace boostr {
namespace {

/// Of those that --search finds.
constexpr std::size_t listed_layouts = 10;

int ranks_to_plan(const LoadedRecipe& loaded, int ranks) {
  if (ranks == 0) ranks = ranks_of(loaded.recipe.parallelism);
  check_ranks(loaded, ranks);
  return ranks;
}

/// As it was measured, if it ever was.
DeviceModel this_machine(const PlanOptions& options, const HostShare& share, DType compute) {
  const Calibration calibration(options.calibration);
  const HostRates* rates = calibration.nearest(share);
  return rates != nullptr ? calibrated_device(*rates, share) : this_device(share, compute);
}

/// Whether a rank could run the recipe's steps, some within a minute: the same on all ranks.
bool can_train(const Recipe& recipe, const HostShare& share) {
  DeviceModel device = host_model(share);
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16, DType::f64})
    device.flops[dtype] = 5e10;
  device.bandwidth = 5e9;
  device.inside = device.between;
  const Plan plan = make_plan(recipe, share.ranks, device, share.threads);
  return plan.fits() && plan.step_seconds < 8;
}

}  // namespace

std::string usual_calibration_file() {
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  const char* const home = std::getenv("HOME");
  const std::string folder = cache != nullptr  ? cache
                             : home != nullptr ? text(home, "/.cache")
                                               : ".";
  return folder + "/boostr/calibration.json";
}

int plan_command(const LoadedRecipe& loaded, int ranks, const PlanOptions& options,
                 std::ostream& out) {
  ranks = ranks_to_plan(loaded, ranks);
  const bool is_this = options.device == "this";
  const HostShare share = share_of_this_host(ranks, loaded.recipe.training.threads);
  const DeviceModel device =
      is_this ? this_machine(options, share, dtype_named(loaded.recipe.precision.compute))
              : known_device(options.device);
  const int threads = is_this ? share.threads : 1;
  PlanReport report{make_plan(loaded.recipe, ranks, device, threads), 0, {}, {}};
  if (is_this) report.process_bytes = process_bytes(report.plan);
  if (!report.plan.fits()) report.nearest = nearest_layout(report.plan, device, threads);
  if (options.search) report.best = best_layouts(report.plan, device, threads, listed_layouts);
  out << (options.json ? plan_json(report, device) : plan_text(report, device));
  return static_cast<int>(ExitCode::ok);
}

std::vector<int> ranks_to_calibrate(const LoadedRecipe* loaded, int ranks) {
  if (loaded != nullptr)
    return {
        share_of_this_host(ranks_to_plan(*loaded, ranks), loaded->recipe.training.threads).ranks};
  if (ranks > 0) return {ranks};
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return {1, cores, 2 * cores};
}

int calibrate_command(const Recipe* recipe, const std::string& file) {
  return run_on_ranks(recipe != nullptr ? *recipe : Recipe(), [&](Communicator& world) {
    const HostShare share{world.size(), num_threads()};
    if (world.rank() == 0)
      fmt::print(stderr, "measuring {} rank{} with {} thread{} each ...\n", share.ranks,
                 share.ranks == 1 ? "" : "s", share.threads, share.threads == 1 ? "" : "s");
    const bool with_recipe = recipe != nullptr && can_train(*recipe, share);
    const HostRates rates = measure_rates(world, share, with_recipe ? recipe : nullptr);
    if (world.rank() == 0) Calibration(file).add(rates);
    return static_cast<int>(ExitCode::ok);
  });
}

}  // namespace boostr
