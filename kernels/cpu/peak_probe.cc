// The multiply-adds that a thread can do at most: independent chains in registers, enough of them
// to hide the latency.
#include <algorithm>
#include <atomic>

#include "kernels/cpu/gemm_amx.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/parallel_for.h"

namespace boostr::cpu::BOOSTR_ISA {
namespace {

constexpr std::int64_t steps_per_round = 4096;

/// Independent multiply-adds in vector registers.
template <class W>
struct Chains {
  /// As many as a tile of gemm keeps.
  static constexpr int count = simd_tile_rows * simd_tile_vectors;
  static constexpr double flops_per_step = 2.0 * count * lanes<typename W::Sum> * W::depth;

  /// sum = sum + word * word on every chain, `steps` times. Returns the sum of all, so that it is
  /// computed.
  [[gnu::noinline]] static typename W::Sum run(std::int64_t steps, typename W::Word word) {
    using Sum = typename W::Sum;
    Vec<Sum> sums[count];
    for (int chain = 0; chain < count; ++chain)
      sums[chain] = splat(Sum(chain));  // equal chains would become one
    // Read at every step: the product of a known factor would be formed once, and only added.
    const volatile auto kept = splat(word);
    for (std::int64_t i = 0; i < steps; ++i) {
      const Vec<typename W::Word> factor = kept;
#pragma GCC unroll 32
      for (int chain = 0; chain < count; ++chain)
        sums[chain] = W::multiply_add(factor, factor, sums[chain]);
    }
    Vec<Sum> total{};
#pragma GCC unroll 32
    for (int chain = 0; chain < count; ++chain) total += sums[chain];
    return reduce_add(total);
  }
};

#if defined(BOOSTR_AMX)
/// Products of a tile unit, on operands in the first-level cache.
template <>
struct Chains<AmxWords> {
  static constexpr double flops_per_step =
      2.0 * AmxWords::tile_rows * AmxWords::tile_columns * amx_side * AmxWords::depth;

  [[gnu::noinline]] static float run(std::int64_t steps, std::uint32_t word) {
    alignas(64) std::uint32_t a[2 * amx_words], b[2 * amx_words];
    std::ranges::fill(a, word);
    std::ranges::fill(b, word);
    [[maybe_unused]] const TileUnit<AmxWords> unit;
    AmxSums sums;
    for (std::int64_t i = 0; i < steps; ++i) sums.add_product(a, b);
    alignas(64) float total[AmxWords::tile_rows][AmxWords::tile_columns];
    sums.store(total);
    return total[0][0];
  }
};
#endif

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
    sums[worker.index] = Chains<W>::run(rounds * steps_per_round, word);
  });
  return Chains<W>::flops_per_step * double(rounds * steps_per_round) * workers;
}

}  // namespace

double peak_probe(Stream& stream, DType dtype, std::int64_t rounds) {
  return dispatch_float(dtype, [&]<class S>() { return probe<WordsOf<S>>(stream, rounds); });
}

}  // namespace boostr::cpu::BOOSTR_ISA
