#include "launch/ranks.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <thread>

#include "launch/threads.h"
#include "parallel/comm/mpi.h"
#include "parallel/comm/self.h"
#include "trainer/collective_timeout.h"

namespace boostr {
namespace {

std::unique_ptr<Communicator> join_world() {
  const int ranks =
      launched_ranks([](const char* name) { return static_cast<const char*>(std::getenv(name)); });
  return ranks > 1 ? mpi_world() : self_world();
}

/// Ends the whole job. An error that all ranks found together is told by rank 0, which speaks
/// first and ends the others; one that a single rank met is told by that rank a moment later.
[[noreturn]] void fail(Communicator& world, ExitCode code, const std::string& message) {
  if (world.rank() != 0) std::this_thread::sleep_for(std::chrono::seconds(2));
  const std::string where =
      world.size() > 1 ? fmt::format("[rank {}/{}] ", world.rank(), world.size()) : "";
  fmt::print(stderr, "boostr-train: error: {}{}\n", where, message);
  std::fflush(nullptr);
  world.abort(code, message);
  std::_Exit(static_cast<int>(code));
}

}  // namespace

int run_on_ranks(const Recipe& recipe, const std::function<int(Communicator& world)>& body) {
  const std::unique_ptr<Communicator> world = join_world();
  try {
    world->set_timeout(CollectiveTimeout(recipe.communication.timeout).between_steps());
    set_num_threads(threads_of_this_rank(*world, recipe.training.threads));
    return body(*world);
  } catch (const Error& e) {
    fail(*world, e.code(), e.what());
  } catch (const std::bad_alloc&) {
    fail(*world, ExitCode::memory,
         "out of memory; lower training.micro_batch_size or training.seq_len");
  } catch (const std::exception& e) {
    fail(*world, ExitCode::internal, e.what());
  }
}

}  // namespace boostr
