#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "kernels/kernel_table.h"

namespace boostr {
namespace {

TEST(Shape, CountsElementsAndRows) {
  const Shape shape{2, 3, 4};
  EXPECT_EQ(shape.numel(), 24);
  EXPECT_EQ(shape.rows(), 6);
  EXPECT_EQ(shape[-1], 4);
  EXPECT_EQ(Shape{}.numel(), 1);
  EXPECT_EQ(text(shape), "[2, 3, 4]");
}

TEST(BFloat16, RoundsEveryValueToNearestEvenAndBack) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    BFloat16 value;
    value.bits = static_cast<std::uint16_t>(bits);
    const float wide = static_cast<float>(value);
    if (std::isnan(wide)) {
      EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(wide))));
    } else {
      EXPECT_EQ(BFloat16(wide).bits, value.bits);
    }
  }
  EXPECT_EQ(static_cast<float>(BFloat16(1.0f + 1.0f / 256)), 1.0f);  // a tie goes to even
  EXPECT_EQ(static_cast<float>(BFloat16(1.0f + 3.0f / 256)), 1.0f + 1.0f / 64);  // and up
}

TEST(Buffer, ReusesFreedBlocksWithoutTheSystem) {
  { const Buffer first(3 << 20); }
  const auto before = allocator_stats();
  for (int i = 0; i < 100; ++i) const Buffer again(3 << 20);
  const auto after = allocator_stats();
  EXPECT_EQ(after.system_allocations, before.system_allocations);
  EXPECT_EQ(after.requests, before.requests + 100);
  EXPECT_EQ(after.bytes_in_use, before.bytes_in_use);
}

TEST(Buffer, ADedicatedOneTakesNoBlockFromTheCacheAndLeavesNone) {
  { const Buffer cached(3 << 20); }
  const auto before = allocator_stats();
  {
    const Buffer dedicated = Buffer::dedicated(3 << 20);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(dedicated.data()) % 64, 0U);
    const auto during = allocator_stats();
    EXPECT_EQ(during.system_allocations, before.system_allocations + 1);
    EXPECT_EQ(during.bytes_cached, before.bytes_cached);
    EXPECT_GE(during.bytes_in_use, before.bytes_in_use + dedicated.size());
  }
  EXPECT_EQ(allocator_stats().bytes_cached, before.bytes_cached);
  EXPECT_EQ(allocator_stats().bytes_in_use, before.bytes_in_use);
}

/// Bytes of this process that lie in memory.
std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

TEST(Buffer, OfLittleMoreThanAHugePageDoesNotTakeTwo) {
  constexpr std::size_t count = 32, bytes = std::size_t{9} << 18;  // 2 1/4 MiB
  release_cached_memory();
  const std::size_t before = resident_bytes();
  std::vector<Buffer> buffers;
  for (std::size_t i = 0; i < count; ++i) {
    buffers.emplace_back(bytes);
    std::memset(buffers.back().data(), 1, bytes);
  }
  EXPECT_LT(resident_bytes(), before + count * bytes * 4 / 3);
}

// MemAvailable and SwapFree of /proc/meminfo, in bytes.
std::size_t free_memory() {
  std::ifstream file("/proc/meminfo");
  std::size_t kib = 0, sum = 0;
  for (std::string word; file >> word;)
    if ((word == "MemAvailable:" || word == "SwapFree:") && file >> kib) sum += kib << 10;
  return sum;
}

TEST(Buffer, RefusesMoreThanTheMachineHasFreeInsteadOfBeingKilledForItLater) {
  constexpr std::size_t beyond = std::size_t{1} << 30;  // others may free some meanwhile
  const auto code = [&] {
    try {
      const Buffer buffer(free_memory() + beyond);
      return ExitCode::ok;
    } catch (const Error& e) {
      return e.code();
    }
  };
  EXPECT_EQ(code(), ExitCode::memory);
}

TEST(Registry, FindsALevelThisMachineRuns) {
  ASSERT_FALSE(runnable_levels(cpu_device).empty());
  EXPECT_EQ(&kernels(cpu_device), runnable_levels(cpu_device).front());
}

}  // namespace
}  // namespace boostr
