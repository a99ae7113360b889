#include "kernels/runtime/dry_run.h"

#include <gtest/gtest.h>

#include <functional>
#include <thread>
#include <vector>

#include "kernels/kernel_table.h"
#include "kernels/registry.h"
#include "kernels/runtime/buffer.h"
#include "kernels/runtime/memory_ledger.h"
#include "kernels/runtime/view.h"

namespace boostr {
namespace {

MemoryLedger::Count activations() {
  return MemoryLedger::of_this_thread()->of(MemoryUse::activations);
}

TEST(DryRun, CountsBuffersOfAnySize) {
  Timeline timeline;
  const DryRun dry(timeline);
  constexpr std::size_t large = std::size_t{1} << 38;  // more than there is
  const std::size_t before = activations().bytes;
  const Buffer buffer(large);
  EXPECT_EQ(activations().bytes - before, large);
  EXPECT_EQ(buffer.data()[large - 1], std::byte{0});
  buffer.data()[large / 2] = std::byte{7};
  EXPECT_EQ(buffer.data()[large / 2], std::byte{7});
}

TEST(DryRun, SmallBuffersReadAsZeros) {
  Timeline timeline;
  const DryRun dry(timeline);
  for (int i = 0; i < 2; ++i) {
    const Buffer buffer(100);
    EXPECT_EQ(buffer.data()[99], std::byte{0});
    buffer.data()[99] = std::byte{7};
  }
}

TEST(DryRun, NotesKernelsAndRunsNone) {
  Timeline timeline;
  const DryRun dry(timeline);
  std::vector<float> y(8, 1.0F);
  const Out view{y.data(), DType::f32, {8}};
  kernels(cpu_device).fill(current_stream(cpu_device), view, 2.0);
  EXPECT_EQ(y[3], 1.0F);
  ASSERT_EQ(timeline.events().size(), 1U);
  EXPECT_EQ(timeline.events()[0].name, "fill");
  EXPECT_EQ(timeline.events()[0].bytes, 32);
  EXPECT_THROW(const DryRun second(timeline), Error);
}

TEST(DryRun, LeavesTheThreadAsItWas) {
  const KernelTable& table = kernels(cpu_device);
  const AllocatorStats before = allocator_stats();
  Buffer outlives;
  {
    Timeline timeline;
    const DryRun dry(timeline);
    outlives = Buffer(100);
  }
  EXPECT_EQ(&kernels(cpu_device), &table);
  EXPECT_EQ(allocator_stats().requests, before.requests);
  EXPECT_NE(current_stream(cpu_device).scratch(64), nullptr);
  outlives = Buffer(100);
  EXPECT_EQ(allocator_stats().requests, before.requests + 2) << "the scratch and the buffer";
}

/// The most that `work` has taken at a time of memory, on a thread with nothing.
std::size_t peak_of(const std::function<void()>& work) {
  std::size_t peak = 0;
  std::thread([&] {
    work();
    peak = activations().peak;
  }).join();
  return peak;
}

/// Buffers for a call; kept until the end of the work.
class Views {
 public:
  Out operator()(DType dtype, const Shape& shape) {
    buffers_.emplace_back(std::size_t(shape.numel()) * size_of(dtype));
    return {buffers_.back().data(), dtype, shape};
  }

 private:
  std::vector<Buffer> buffers_;
};

/// One call of each row that takes workspace.
void call_with_workspace(DType dtype) {
  const KernelTable& table = kernels(cpu_device);
  Stream& stream = current_stream(cpu_device);
  const DType acc = accumulator_of(dtype);
  Views v;
  table.fill(stream, v(dtype, {64, 96}), 0);
  table.sum_rows(stream, v(acc, {96}), v(dtype, {64, 96}), false);
  table.softmax(stream, v(dtype, {3, 5000}), v(dtype, {3, 5000}));
  table.reduce(stream, v(DType::f64, {1}), v(acc, {200000}), Reduction::sum);
  table.all_finite(stream, v(DType::i32, {1}), v(acc, {300000}));
  table.rms_norm_grad_weight(stream, v(acc, {4096}), v(dtype, {300, 4096}), v(dtype, {300, 4096}),
                             v(acc, {300}), false);
  table.layer_norm_grad_weight(stream, v(acc, {512}), v(dtype, {30, 512}), v(dtype, {30, 512}),
                               v(acc, {30}), v(acc, {30}), false);
  const Out q = v(dtype, {2, 64, 4, 32}), k = v(dtype, {2, 64, 2, 32});
  const Out lse = v(acc, {2, 4, 64});
  table.attention(stream, q, lse, q, k, k, {}, {});
  table.attention_grad(stream, q, k, k, q, {q, k, k, {}, q, lse}, {});
  table.gemm(stream, v(dtype, {70, 900}), v(dtype, {70, 1100}), v(dtype, {1100, 900}), {}, {});
}

TEST(DryRun, TakesTheWorkspaceThatKernelsTake) {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const int threads : {1, 2}) {
      const std::size_t real = peak_of([&] {
        set_num_threads(threads);
        call_with_workspace(dtype);
      });
      const std::size_t dry = peak_of([&] {
        Timeline timeline;
        const DryRun run(timeline, threads);
        call_with_workspace(dtype);
        EXPECT_EQ(timeline.events().size(), 10U);
      });
      EXPECT_EQ(dry, real) << dtype << ", threads " << threads;
    }
}

}  // namespace
}  // namespace boostr
