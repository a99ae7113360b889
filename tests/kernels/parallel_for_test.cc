#define BOOSTR_ISA test_level
#include "kernels/cpu/parallel_for.h"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>
#include <vector>

namespace boostr::cpu::test_level {
namespace {

TEST(ParallelFor, VisitsEveryElementOnceOnAnyNumberOfThreads) {
  for (int threads : {1, 2, 3, 7}) {
    for (std::int64_t count : {0, 1, 7, 64, 1000}) {
      const Stream stream(cpu_device, threads);
      std::vector<int> visits(std::size_t(count), 0);
      parallel_for(stream, count, 16, [&](std::int64_t begin, std::int64_t end, int thread) {
        EXPECT_LT(thread, threads);
        EXPECT_EQ(begin % 16, 0);
        for (std::int64_t i = begin; i < end; ++i) ++visits[i];
      });
      EXPECT_EQ(visits, std::vector<int>(std::size_t(count), 1))
          << threads << " threads, " << count;
    }
  }
}

TEST(ParallelFor, UsesTheThreadsOfTheStream) {
  const Stream stream(cpu_device, 2);
  std::vector<std::thread::id> ids(2);
  parallel_for(stream, 2, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) ids[i] = std::this_thread::get_id();
  });
#if defined(_OPENMP)
  EXPECT_NE(ids[0], ids[1]);
#else
  EXPECT_EQ(ids[0], ids[1]);
#endif
}

TEST(ParallelFor, WorksUnderManyHostThreadsAtOnce) {
  std::vector<std::int64_t> sums(4, 0);
  std::vector<std::thread> hosts;
  for (std::size_t host = 0; host < sums.size(); ++host) {
    hosts.emplace_back([&sums, host] {
      const Stream stream(cpu_device, 2);
      std::vector<std::int64_t> partial(10, 0);
      parallel_chunks(stream, 100, 10, [&](std::int64_t i, std::int64_t begin, std::int64_t end) {
        for (std::int64_t k = begin; k < end; ++k) partial[i] += k;
      });
      sums[host] = std::accumulate(partial.begin(), partial.end(), std::int64_t{0});
    });
  }
  for (std::thread& host : hosts) host.join();
  EXPECT_EQ(sums, std::vector<std::int64_t>(4, 4950));
}

TEST(ParallelChunks, CutsAtTheSamePlacesOnAnyNumberOfThreads) {
  for (int threads : {1, 2, 3}) {
    const Stream stream(cpu_device, threads);
    std::vector<Range> chunks(4);
    parallel_chunks(stream, 100, 30, [&](std::int64_t i, std::int64_t begin, std::int64_t end) {
      chunks[i] = {begin, end};
    });
    EXPECT_EQ(chunks[0].begin, 0);
    EXPECT_EQ(chunks[2].begin, 60);
    EXPECT_EQ(chunks[3].end, 100);
    EXPECT_EQ(chunks[3].size(), 10);
  }
}

TEST(ParallelTeam, BarrierSeparatesTwoPhases) {
  std::vector<int> first(3, 0), second(3, 0);
  parallel_team(3, [&](const Worker& worker) {
    for (int i = worker.index; i < 3; i += worker.count) first[i] = i + 1;
    worker.barrier();
    for (int i = worker.index; i < 3; i += worker.count) second[i] = first[2 - i];
  });
  EXPECT_EQ(second, (std::vector<int>{3, 2, 1}));
}

}  // namespace
}  // namespace boostr::cpu::test_level
