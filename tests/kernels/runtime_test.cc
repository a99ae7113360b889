#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "kernels/kernel_table.h"
#include "kernels/runtime/host_memory.h"

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

TEST(Buffer, OfLittleMoreThanAHugePageDoesNotTakeTwo) {
  constexpr std::size_t count = 32, bytes = std::size_t{9} << 18;  // 2 1/4 MiB
  release_cached_memory();
  const std::size_t before = resident_memory().own;
  std::vector<Buffer> buffers;
  for (std::size_t i = 0; i < count; ++i) {
    buffers.emplace_back(bytes);
    std::memset(buffers.back().data(), 1, bytes);
  }
  EXPECT_LT(resident_memory().own, before + count * bytes * 4 / 3);
}

ExitCode code_of(const std::function<void()>& allocate) {
  try {
    allocate();
    return ExitCode::ok;
  } catch (const Error& e) {
    return e.code();
  }
}

TEST(Buffer, RefusesMoreThanTheMachineHasFreeInsteadOfBeingKilledForItLater) {
  constexpr std::size_t beyond = std::size_t{1} << 30;  // others may free some meanwhile
  EXPECT_EQ(code_of([] { const Buffer buffer(host_memory().available + beyond); }),
            ExitCode::memory);
}

TEST(Buffer, RefusesWhatTheMachineOnlyHasUntilOtherBuffersAreWritten) {
  const std::size_t quarter = host_memory().available / 4;
  std::vector<Buffer> promised;
  const auto allocate = [&] {
    while (promised.size() < 8) promised.push_back(Buffer::dedicated(quarter));
  };
  EXPECT_EQ(code_of(allocate), ExitCode::memory);
  EXPECT_GT(promised.size(), 0U);
}

TEST(Registry, FindsALevelThisMachineRuns) {
  ASSERT_FALSE(runnable_levels(cpu_device).empty());
  EXPECT_EQ(&kernels(cpu_device), runnable_levels(cpu_device).front());
}

}  // namespace
}  // namespace boostr
