#include <cstdlib>
#include <initializer_list>

#include "kernels/runtime/error.h"
#include "parallel/comm/mpi.h"

namespace boostr {
namespace {

/// The number in the first of these variables that holds one above zero; 0 if none does.
int number(const Environment& environment, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* value = environment(name);
    if (value != nullptr && std::atoi(value) > 0) return std::atoi(value);
  }
  return 0;
}

}  // namespace

int launched_ranks(const Environment& environment) {
  // Open MPI's mpirun, MPICH's and Intel's, and what srun --mpi=pmi2 sets.
  const int ranks = number(environment, {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"});
  if (ranks > 0) return ranks;
  const int tasks = number(environment, {"SLURM_STEP_NUM_TASKS"});
  // Inside an allocation without srun (a batch script, say) there is one process, whatever its
  // size.
  if (tasks <= 1 || environment("SLURM_STEP_ID") == nullptr) return 1;
  const bool joined = environment("PMIX_RANK") != nullptr || environment("PMI_RANK") != nullptr;
  require(joined, ExitCode::usage, "srun has started ", tasks,
          " tasks that MPI cannot join; use srun --mpi=pmix, or mpirun");
  return tasks;
}

int launched_local_rank(const Environment& environment) {
  return number(environment, {"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"});
}

}  // namespace boostr
