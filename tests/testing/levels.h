#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "kernels/kernel_table.h"
#include "tests/testing/tensor.h"

namespace boostr::cpu::wide {
/// The kernels compiled for tests only: vectors of 64 bytes on the lowest instruction set, where
/// the compiler splits them. Proves the tiles and tails of AVX-512 on machines without it.
const KernelTable& table();
}  // namespace boostr::cpu::wide
namespace boostr::cpu::wide_amx {
/// The same with the tile unit of AMX in plain arithmetic.
const KernelTable& table();
}  // namespace boostr::cpu::wide_amx

namespace boostr::testing {

/// Calls test(const KernelTable&) for every level this machine runs, and for those made for tests.
template <class Test>
void for_each_level(Test&& test) {
  const auto runnable = runnable_levels(cpu_device);
  std::vector<const KernelTable*> levels(runnable.begin(), runnable.end());
  levels.push_back(&cpu::wide::table());
  levels.push_back(&cpu::wide_amx::table());
  for (const KernelTable* level : levels) {
    SCOPED_TRACE(text("level ", level->level));
    test(*level);
  }
}

/// Runs `compute(stream)`, which returns a TestTensor or a container of them, on 1, 2 and 3
/// threads, checks that the bits agree, and returns the result.
template <class Compute>
auto same_on_any_threads(Compute&& compute) {
  Stream one(cpu_device, 1);
  const auto expected = compute(one);
  for (int threads : {2, 3}) {
    Stream many(cpu_device, threads);
    EXPECT_EQ(compute(many), expected) << "results differ between 1 and " << threads << " threads";
  }
  return expected;
}

}  // namespace boostr::testing
