#include <algorithm>
#include <array>
#include <cstdlib>

#include "kernels/runtime/error.h"
#include "parallel/comm/mpi.h"

namespace boostr {
namespace {

/// The number in a variable, 0 if it is not set or holds none.
int number(const Environment& environment, const char* name) {
  const char* value = environment(name);
  return value == nullptr ? 0 : std::max(0, std::atoi(value));
}

}  // namespace

int launched_ranks(const Environment& environment) {
  // Open MPI's mpirun, MPICH's and Intel's, and what srun --mpi=pmi2 sets.
  static constexpr std::array<const char*, 2> sizes = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};
  for (const char* name : sizes) {
    if (const int ranks = number(environment, name); ranks > 0) return ranks;
  }
  const int tasks = number(environment, "SLURM_STEP_NUM_TASKS");
  // Inside an allocation without srun (a batch script, say) there is one process, whatever its
  // size.
  if (tasks <= 1 || environment("SLURM_STEP_ID") == nullptr) return 1;
  const bool joined = environment("PMIX_RANK") != nullptr || environment("PMI_RANK") != nullptr;
  require(joined, ExitCode::usage, "srun has started ", tasks,
          " tasks that MPI cannot join; use srun --mpi=pmix, or mpirun");
  return tasks;
}

}  // namespace boostr
