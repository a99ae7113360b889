#pragma once

#include <utility>

#include "kernels/cpu/simd.h"

// Squares of vectors transposed in registers.
namespace boostr::cpu::BOOSTR_ISA {

/// Lane l of the result: the lower half of each pair of blocks of `Step` lanes from a, b (or the
/// upper half).
template <int Step, bool Upper, class V, std::size_t... L>
inline V exchange(V a, V b, std::index_sequence<L...>) {
  constexpr int n = sizeof...(L);
  constexpr auto source = [](int lane) {
    const bool second = (lane & Step) != 0;
    return Upper ? (second ? lane + n : lane + Step) : (second ? lane - Step + n : lane);
  };
  return __builtin_shufflevector(a, b, source(L)...);
}

/// Transposes a square of `lanes` x `lanes` words in registers: log2(lanes) rounds that swap
/// off-diagonal blocks.
template <class Word, int Step = 1>
inline void transpose(Vec<Word> (&rows)[lanes<Word>]) {
  using Lanes = std::make_index_sequence<lanes<Word>>;
#pragma GCC unroll 16
  for (int i = 0; i < lanes<Word>; ++i) {
    if ((i & Step) != 0) continue;
    const Vec<Word> lower = exchange<Step, false>(rows[i], rows[i + Step], Lanes{});
    rows[i + Step] = exchange<Step, true>(rows[i], rows[i + Step], Lanes{});
    rows[i] = lower;
  }
  if constexpr (2 * Step < lanes<Word>) transpose<Word, 2 * Step>(rows);
}

}  // namespace boostr::cpu::BOOSTR_ISA
