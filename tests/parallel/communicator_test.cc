#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "parallel/comm/self.h"
#include "parallel/comm/threads.h"
#include "tests/parallel/conformance.h"
#include "tests/parallel/rank_values.h"

namespace boostr::testing {
namespace {

using namespace std::chrono_literals;

/// World: 0 = self, n = n threads.
class Conformance : public ::testing::TestWithParam<std::tuple<int, ConformanceCheck>> {};

TEST_P(Conformance, Holds) {
  const auto& [threads, check] = GetParam();
  if (threads == 0) {
    check.run(*self_world());
  } else {
    run_ranks(threads, check.run);
  }
}

std::string conformance_name(const ::testing::TestParamInfo<Conformance::ParamType>& info) {
  const auto& [threads, check] = info.param;
  return (threads == 0 ? std::string("Self") : "Threads" + std::to_string(threads)) + check.name;
}

INSTANTIATE_TEST_SUITE_P(Worlds, Conformance,
                         ::testing::Combine(::testing::Values(0, 1, 2, 3, 4),
                                            ::testing::ValuesIn(conformance_checks().begin(),
                                                                conformance_checks().end())),
                         conformance_name);

/// Runs n thread ranks that must fail with Error(communication), and returns the message.
std::string failure_of_ranks(int n, const std::function<void(Communicator&)>& rank_main,
                             std::chrono::duration<double> timeout = 60s) {
  try {
    run_ranks(n, rank_main, timeout);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::communication);
    return error.what();
  }
  ADD_FAILURE() << "no rank threw";
  return "";
}

void expect_contains(const std::string& message, const std::string& part) {
  EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' not in: " << message;
}

/// A rank that is busy with something else until the run fails.
void stay_away(Communicator& world) {
  while (true) world.progress();
}

TEST(Threads, BarrierHoldsEveryRankUntilAllHaveCome) {
  std::atomic<int> arrived = 0;
  run_ranks(4, [&](Communicator& world) {
    ++arrived;
    world.barrier();
    EXPECT_EQ(arrived, 4);
  });
}

TEST(Threads, TheFirstExceptionIsRethrownAndTheOthersAreReleased) {
  std::atomic<int> released = 0;
  const auto rank_main = [&](Communicator& world) {
    if (world.rank() == 1) throw std::invalid_argument("rank 1 is broken");
    try {
      world.barrier();
    } catch (const Error& error) {
      expect_contains(error.what(), "rank 1 has failed: rank 1 is broken");
      ++released;
      throw;
    }
  };
  EXPECT_THROW(run_ranks(3, rank_main), std::invalid_argument);
  EXPECT_EQ(released, 2);
}

TEST(Threads, AnExceptionReleasesRanksWithWorkInFlight) {
  const auto rank_main = [](Communicator& world) {
    std::vector<float> values(1'000'000);
    const Work work = world.all_reduce(out_of(values));
    if (world.rank() == 2) throw std::invalid_argument("rank 2 is broken");
    const Out shared = world.allocate_shared(DType::f32, 100'000);
    world.all_reduce(shared).wait();
  };
  EXPECT_THROW(run_ranks(3, rank_main), std::invalid_argument);
}

TEST(Threads, AbortReleasesTheOthersWithItsReason) {
  const std::string message = failure_of_ranks(2, [](Communicator& world) {
    if (world.rank() == 1) return world.abort(ExitCode::communication, "disk full");
    EXPECT_THROW(world.barrier(), Error);
  });
  EXPECT_EQ(message, "disk full");
}

TEST(Watchdog, NamesTheRankThatHasNotEnteredAndTheOperation) {
  const std::string message = failure_of_ranks(
      3,
      [](Communicator& world) {
        world.barrier();
        std::vector<float> values(100);
        if (world.rank() != 1) world.all_reduce(out_of(values)).wait();
        if (world.rank() == 1) stay_away(world);
      },
      0.5s);
  expect_contains(message, "all_reduce (sum) of 100 f32");
  expect_contains(message, "group 'world'");
  expect_contains(message, "rank 1 has not entered it");
  expect_contains(message, "rank 0: #0 barrier in 'world' (done), #1 all_reduce (sum) of 100 f32");
  expect_contains(message, "rank 1: #0 barrier in 'world' (done)\n");
}

TEST(Watchdog, NamesWorldRanksOfASplitGroup) {
  const std::string message = failure_of_ranks(
      4,
      [](Communicator& world) {
        const auto odd = world.split(world.rank() % 2, world.rank(), "odd");
        if (world.rank() == 1) odd->barrier();
        if (world.rank() == 3) stay_away(world);
      },
      0.5s);
  expect_contains(message, "barrier, operation #0 of group 'odd'");
  expect_contains(message, "rank 1 (world rank 3) has not entered it");
}

TEST(Watchdog, NamesTheSenderOfAMissingMessage) {
  const std::string message = failure_of_ranks(
      2,
      [](Communicator& world) {
        std::vector<double> values(3);
        if (world.rank() == 0) world.recv(out_of(values), 1, 5).wait();
        if (world.rank() == 1) stay_away(world);
      },
      0.5s);
  expect_contains(message, "recv of 3 f64 from rank 1");
  expect_contains(message, "rank 1 has not sent it");
}

TEST(Watchdog, EndsAMessageToOneselfThatNeverComes) {
  const auto world = self_world();
  world->set_timeout(0.1s);
  std::vector<float> values(3);
  Work work = world->recv(out_of(values), 0);
  EXPECT_THROW(work.wait(), Error);
}

TEST(Mismatch, AnotherOperationIsAClearError) {
  const std::string message = failure_of_ranks(2, [](Communicator& world) {
    std::vector<float> values(10);
    if (world.rank() == 0) world.all_reduce(out_of(values)).wait();
    if (world.rank() == 1) world.broadcast(out_of(values), 0).wait();
  });
  expect_contains(message, "all_reduce (sum) of 10 f32");
  expect_contains(message, "broadcast of 10 f32 from rank 0");
}

TEST(Mismatch, AnotherSizeIsAClearError) {
  const std::string message = failure_of_ranks(3, [](Communicator& world) {
    std::vector<float> values(world.rank() == 2 ? 2'000'000 : 1'000'000);
    world.all_reduce(out_of(values)).wait();
  });
  expect_contains(message, "of 1000000 f32");
  expect_contains(message, "of 2000000 f32");
}

TEST(Mismatch, AnotherDtypeOrReductionIsAClearError) {
  const std::string message = failure_of_ranks(2, [](Communicator& world) {
    std::vector<float> floats(10);
    std::vector<std::int32_t> ints(10);
    if (world.rank() == 0) world.all_reduce(out_of(floats), ReduceOp::max).wait();
    if (world.rank() == 1) world.all_reduce(out_of(ints)).wait();
  });
  expect_contains(message, "all_reduce (max) of 10 f32");
  expect_contains(message, "all_reduce (sum) of 10 i32");
}

TEST(Mismatch, AMessageOfAnotherSizeIsAClearError) {
  const std::string message = failure_of_ranks(2, [](Communicator& world) {
    std::vector<float> values(10);
    if (world.rank() == 0) world.send({values.data(), DType::f32, {4}}, 1).wait();
    if (world.rank() == 1) world.recv(out_of(values), 0).wait();
    world.barrier();
  });
  expect_contains(message, "expects 40 bytes");
  expect_contains(message, "16 were sent");
}

}  // namespace
}  // namespace boostr::testing
