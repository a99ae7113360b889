#include "kernels/runtime/profiler.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "kernels/kernel_rows.h"
#include "kernels/registry.h"
#include "tests/testing/tensor.h"

namespace boostr {
namespace {

using testing::TestTensor;

/// The row whose stand-in was called last.
std::string_view called;

template <auto row>
struct StandIn;
template <class Result, class... Args, Result (*KernelTable::*row)(Stream&, Args...)>
struct StandIn<row> {
  static inline std::string_view name;
  static Result note(Stream& /*stream*/, Args... /*args*/) {
    called = name;
    return Result();
  }
  /// Calls the present table's row on nothing.
  static void call() {
    Stream stream;
    (kernels(cpu_device).*row)(stream, std::remove_cvref_t<Args>{}...);
  }
};

KernelTable stand_ins() {
  KernelTable table{};
  for_each_row([&]<auto row>(std::string_view name, KernelRow<row>) {
    StandIn<row>::name = name;
    table.*row = &StandIn<row>::note;
  });
  return table;
}

/// Kernels as they were before the test.
class Profiler : public ::testing::Test {
 protected:
  ~Profiler() override { set_kernels(level_, cpu_device); }
  const KernelTable& level_ = kernels(cpu_device);
  Timeline timeline_;
};

TEST_F(Profiler, NotesEveryRowUnderItsNameAndCallsItsKernel) {
  const KernelTable table = stand_ins();
  set_kernels(table, cpu_device);
  const KernelProfiler profiler(timeline_);
  std::set<std::string_view> names;
  for_each_row([&]<auto row>(std::string_view name, KernelRow<row>) {
    StandIn<row>::call();
    EXPECT_EQ(called, name);
    ASSERT_FALSE(timeline_.events().empty()) << name;
    EXPECT_EQ(timeline_.events().back().name, name);
    names.insert(name);
  });
  EXPECT_EQ(timeline_.events().size(), names.size()) << "two rows have one name";
}

TEST_F(Profiler, KeepsRowsNullThatTheBackendLacks) {
  KernelTable table = stand_ins();
  table.dropout = nullptr;
  set_kernels(table, cpu_device);
  const KernelProfiler profiler(timeline_);
  EXPECT_EQ(kernels(cpu_device).dropout, nullptr);
  EXPECT_NE(kernels(cpu_device).add, table.add);
}

TEST_F(Profiler, LeavesTheTableAsItWas) {
  {
    const KernelProfiler profiler(timeline_);
    EXPECT_NE(&kernels(cpu_device), &level_);
    EXPECT_THROW(const KernelProfiler second(timeline_), Error);
  }
  EXPECT_EQ(&kernels(cpu_device), &level_);
}

TEST_F(Profiler, LeavesOtherThreadsAlone) {
  const KernelProfiler profiler(timeline_);
  const KernelTable* table = nullptr;
  std::thread([&] { table = &kernels(cpu_device); }).join();
  EXPECT_EQ(table, &level_);
}

TEST_F(Profiler, NotesTypesShapesAndTimesOneAfterTheOther) {
  const KernelProfiler profiler(timeline_);
  Stream stream;
  TestTensor y(DType::f32, {2, 3});
  const TestTensor x = TestTensor::filled(DType::bf16, {2, 3}, 1.5);
  kernels(cpu_device).cast(stream, y, x);
  kernels(cpu_device).fill(stream, y, 2.0);
  ASSERT_EQ(timeline_.events().size(), 2U);
  const TimelineEvent& cast = timeline_.events()[0];
  const TimelineEvent& fill = timeline_.events()[1];
  EXPECT_EQ(cast.dtype, DType::bf16);
  EXPECT_EQ(cast.num_shapes, 2U);
  EXPECT_EQ(cast.shapes[1], (Shape{2, 3}));
  EXPECT_EQ(cast.bytes, 6 * 4 + 6 * 2);
  EXPECT_EQ(cast.flops, 0);
  EXPECT_EQ(fill.dtype, DType::f32);
  EXPECT_EQ(fill.num_shapes, 1U);
  EXPECT_LE(0, cast.begin);
  EXPECT_LE(cast.begin, cast.end);
  EXPECT_LE(cast.end, fill.begin);
  EXPECT_EQ(y.at(5), 2.0);
}

TEST_F(Profiler, ARestartForgetsEvents) {
  timeline_.add(TimelineEvent{});
  timeline_.restart(10);
  EXPECT_TRUE(timeline_.events().empty());
}

}  // namespace
}  // namespace boostr
