#pragma once

#include <functional>
#include <memory>
#include <string>

#include "parallel/comm/communicator.h"

namespace boostr {

struct MpiOptions {
  /// Ranks of one host exchange through memory that they share; off: through MPI's messages only.
  bool shared_memory = true;
};

/// Error(usage) in a build without MPI, which runs one process only.
void require_mpi();

/// The world of an MPI job: initialises MPI (once per process) and finalises it when the world and
/// every group split from it are gone. Collective over all processes. If an exception destroys the
/// world, MPI is not finalised, which would wait for the others: the process must then end with a
/// code other than zero, by which mpirun ends the job. A watchdog thread ends the job with exit
/// code 7 when an operation waits too long (Communicator::set_timeout). Error(communication) if MPI
/// fails, Error(usage) in a build without MPI.
std::unique_ptr<Communicator> mpi_world(const MpiOptions& options = {});

/// Looks an environment variable up; null if it is not set.
using Environment = std::function<const char*(const char* name)>;

/// How many processes mpirun, srun or another MPI launcher says it has started, 1 without any.
/// Where it is 1, MPI is not needed and must not be initialised. Error(usage) if srun has started
/// several tasks that MPI cannot join.
int launched_ranks(const Environment& environment);

/// This process's number among those that were started on its host, 0 without a launcher. Known
/// before MPI is, so that one process per host can speak for all.
int launched_local_rank(const Environment& environment);

}  // namespace boostr
