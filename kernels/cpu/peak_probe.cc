// The multiply-adds that a thread can do at most: independent chains in registers, enough of them
// to hide the latency.
#include <atomic>

#include "kernels/cpu/gemm_tile.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/parallel_for.h"

namespace boostr::cpu::BOOSTR_ISA {
namespace {

constexpr std::int64_t steps_per_round = 4096;
/// Chains per thread: as many as a tile of gemm keeps.
constexpr int chains = 2 * tile_rows;

/// sum = sum + a * b on every chain, `rounds * steps_per_round` times. Returns the sum of all, so
/// that it is computed.
template <class W>
[[gnu::noinline]] typename W::Sum run_chains(std::int64_t rounds, typename W::Word a,
                                             typename W::Word b) {
  using Sum = typename W::Sum;
  Vec<Sum> sums[chains];
  for (int chain = 0; chain < chains; ++chain)
    sums[chain] = splat(Sum(chain));  // equal chains would become one
  const auto va = splat(a), vb = splat(b);
  for (std::int64_t i = 0; i < rounds * steps_per_round; ++i) {
#pragma GCC unroll 32
    for (int chain = 0; chain < chains; ++chain) sums[chain] = W::multiply_add(va, vb, sums[chain]);
  }
  Vec<Sum> total{};
#pragma GCC unroll 32
  for (int chain = 0; chain < chains; ++chain) total += sums[chain];
  return reduce_add(total);
}

template <class W>
double probe(Stream& stream, std::int64_t rounds) {
  using Storage = typename W::Storage;
  // Not known when this is compiled, so that no multiplication can be left out.
  const auto factor = static_cast<Storage>(Accumulator<Storage>(1) / Accumulator<Storage>(rounds));
  const auto word = W::load_one(&factor, &factor);
  std::atomic<int> workers = 0;
  auto* sums = reinterpret_cast<typename W::Sum*>(
      stream.scratch(sizeof(typename W::Sum) * std::size_t(stream.num_threads())));
  parallel_team(stream.num_threads(), [&](const Worker& worker) {
    workers = worker.count;
    sums[worker.index] = run_chains<W>(rounds, word, word);
  });
  const double flops_per_step = 2.0 * chains * lanes<typename W::Sum> * W::depth;
  return flops_per_step * double(rounds * steps_per_round) * workers;
}

}  // namespace

double peak_probe(Stream& stream, DType dtype, std::int64_t rounds) {
  return dispatch_float(dtype, [&]<class S>() { return probe<WordsOf<S>>(stream, rounds); });
}

}  // namespace boostr::cpu::BOOSTR_ISA
