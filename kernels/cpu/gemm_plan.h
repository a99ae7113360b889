#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels/cpu/gemm_tile.h"
#include "kernels/cpu/round_up.h"

// How a product is cut into jobs and blocks; gemm.cc explains the scheme.
namespace boostr::cpu::BOOSTR_ISA {

/// Sizes in elements. Everything that decides the order of additions (block_k) depends on K alone.
struct GemmPlan {
  std::int64_t job_m = 0, job_n = 0;    ///< the rectangle of C that one thread computes at a time
  std::int64_t jobs_m = 0, jobs_n = 0;  ///< how many of them there are
  std::int64_t block_n = 0;             ///< columns of the packed block of b
  std::int64_t block_k = 0, blocks_k = 1;
  int threads = 1;
};

/// Equal pieces of `count`, each at most `limit` and a multiple of `grain`.
inline std::int64_t equal_block(std::int64_t count, std::int64_t limit, std::int64_t grain) {
  return round_up(divide_up(count, std::max<std::int64_t>(1, divide_up(count, limit))), grain);
}

template <class W>
struct GemmLimits {
  /// Depth of a block: a strip of a (12 to 32 KiB) stays in the first-level cache.
  static constexpr std::int64_t k = W::block_words * W::depth;
  /// Columns of a block of b: with that depth 384 KiB, most of the smallest second-level cache in
  /// use (512 KiB).
  static constexpr std::int64_t n = 768 / std::int64_t(sizeof(typename W::Word));
  /// A job's rows and columns: as many as memory allows, because every job packs its rows of a and
  /// its columns of b anew, at the speed of the third-level cache. Where c cannot hold partial sums,
  /// a job keeps them in a rectangle of its own.
  static constexpr std::int64_t job = 3072, job_with_partial_sums = 1536;
};

/// Time of the slowest thread in tile-columns x rows, counting what each job packs.
template <class W>
double gemm_cost(const GemmPlan& plan, std::int64_t batch) {
  const std::int64_t rounds = divide_up(batch * plan.jobs_m * plan.jobs_n, plan.threads);
  return double(rounds) * (double(plan.job_m) * double(plan.job_n) +
                           W::packing_cost * double(plan.job_m + plan.job_n));
}

/// The cheapest grid of jobs for `threads` threads. `c_holds_sums`: partial sums may lie in c.
template <class W>
GemmPlan plan_gemm(std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k,
                   bool c_holds_sums, int threads) {
  using Limits = GemmLimits<W>;
  constexpr double worth_a_thread =
      128.0 * 128 * 128;  // below, waking a thread costs more than it brings
  GemmPlan best;
  best.block_k = equal_block(std::max<std::int64_t>(1, k), Limits::k, W::depth * W::grain);
  best.blocks_k = std::max<std::int64_t>(1, divide_up(k, best.block_k));
  best.threads = int(std::clamp(double(batch) * double(m) * double(n) * double(k) / worth_a_thread,
                                1.0, double(threads)));

  double best_cost = std::numeric_limits<double>::infinity();
  const std::int64_t limit =
      c_holds_sums || best.blocks_k == 1 ? Limits::job : Limits::job_with_partial_sums;
  const std::int64_t min_m = divide_up(m, limit), min_n = divide_up(n, limit);
  for (std::int64_t extra = 0; extra <= best.threads; ++extra) {
    GemmPlan plan = best;
    plan.job_m = equal_block(m, divide_up(m, min_m + extra), W::tile_rows);
    plan.jobs_m = divide_up(m, plan.job_m);
    // Columns: as few jobs as the limit allows, made a multiple of what fills the threads.
    const std::int64_t fill =
        divide_up(plan.threads, std::min<std::int64_t>(plan.threads, batch * plan.jobs_m));
    plan.job_n = equal_block(n, divide_up(n, round_up(min_n, fill)), W::tile_columns);
    plan.jobs_n = divide_up(n, plan.job_n);
    const double cost = gemm_cost<W>(plan, batch);
    if (cost >= best_cost) continue;
    best_cost = cost;
    best = plan;
  }
  best.block_n = equal_block(best.job_n, Limits::n, W::tile_columns);
  return best;
}

}  // namespace boostr::cpu::BOOSTR_ISA
