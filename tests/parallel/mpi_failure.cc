// Fails in one of several ways between the processes of an MPI job, for expect_exit.cmake to look
// at.

#include <chrono>
#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "parallel/comm/mpi.h"
#include "tests/parallel/rank_values.h"

namespace boostr::testing {
namespace {

void fail(Communicator& world, const std::string& way) {
  std::vector<float> values(100);
  const bool last = world.rank() == world.size() - 1;
  if (way == "missing") {
    world.set_timeout(std::chrono::milliseconds(500));
    if (last) std::this_thread::sleep_for(std::chrono::seconds(60));
  }
  if (way == "stopped" && last) std::raise(SIGSTOP);
  if (way == "stopped") world.set_timeout(std::chrono::milliseconds(500));
  if (way == "killed" && last) std::raise(SIGKILL);
  if (way == "killed_late") std::this_thread::sleep_for(std::chrono::seconds(last ? 2 : 0));
  if (way == "killed_late" && last) std::raise(SIGKILL);
  if (way == "throws" && last) throw Error(ExitCode::data, "the data is gone");
  if (way == "aborts" && last) {
    std::fprintf(stderr, "error: loss is nan\n");  // abort says nothing itself
    world.abort(ExitCode::numeric, "loss is nan");
  }
  if (way == "mismatch" && last) values.resize(50);
  world.all_reduce(out_of(values)).wait();
  world.barrier();
}

}  // namespace
}  // namespace boostr::testing

int main(int argc, char** argv) {
  const std::string way = argc > 1 ? argv[1] : "";
  const bool messages = argc > 2;
  try {
    const auto world = boostr::mpi_world({.shared_memory = !messages});
    boostr::testing::fail(*world, way);
  } catch (const boostr::Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return static_cast<int>(error.code());
  }
  return 0;
}
