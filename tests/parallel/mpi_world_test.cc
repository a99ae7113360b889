// Runs the conformance checks between the processes of an MPI job:
//   mpirun -np 4 parallel_mpi_test [--messages] [gtest options]
// --messages: through MPI's messages, as between hosts, instead of shared memory. Every rank runs
// every check and prints its own failures; the exit code is that of the worst rank.

#include <gtest/gtest.h>

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "parallel/comm/mpi.h"
#include "tests/parallel/conformance.h"
#include "tests/parallel/rank_values.h"

namespace boostr::testing {
namespace {

class ConformanceTest : public ::testing::Test {
 public:
  ConformanceTest(Communicator& world, const ConformanceCheck& check)
      : world_(world), check_(check) {}

 private:
  void TestBody() override {
    check_.run(world_);
    // Ranks stay together even when one of them leaves a check early.
    world_.barrier();
  }

  Communicator& world_;
  const ConformanceCheck& check_;
};

/// Prints failures only, each line with its rank.
class FailurePrinter final : public ::testing::EmptyTestEventListener {
 public:
  explicit FailurePrinter(int rank) : rank_(rank) {}

 private:
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed()) return;
    const ::testing::TestInfo* test = ::testing::UnitTest::GetInstance()->current_test_info();
    std::fprintf(stderr, "[rank %d] %s: %s:%d: %s\n", rank_, test == nullptr ? "?" : test->name(),
                 result.file_name(), result.line_number(), result.summary());
  }

  int rank_;
};

int run_checks(Communicator& world, bool shared_memory) {
  for (const ConformanceCheck& check : conformance_checks()) {
    ::testing::RegisterTest("Mpi", check.name, nullptr, nullptr, __FILE__, __LINE__,
                            [&] { return new ConformanceTest(world, check); });
  }
  ::testing::TestEventListeners& listeners = ::testing::UnitTest::GetInstance()->listeners();
  if (world.rank() != 0) {
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new FailurePrinter(world.rank()));
  }
  std::vector<std::int32_t> result = {RUN_ALL_TESTS()};
  if (world.size() > 1 && world.transport() != (shared_memory ? "shared memory" : "messages")) {
    std::fprintf(stderr, "the world uses %s\n", std::string(world.transport()).c_str());
    result[0] = 1;
  }
  world.all_reduce(out_of(result), ReduceOp::max).wait();
  return result[0];
}

}  // namespace
}  // namespace boostr::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  const bool messages = argc > 1 && std::string_view(argv[1]) == "--messages";
  try {
    const auto world = boostr::mpi_world({.shared_memory = !messages});
    world->set_timeout(std::chrono::seconds(60));
    return boostr::testing::run_checks(*world, !messages);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
