#pragma once

namespace boostr {

/// What mpirun or srun tell a process about itself, before MPI starts.
struct StarterEnvironment {
  int rank = 0;
  int local_rank = 0;  ///< among the processes of this host; 0 speaks for the host
};

/// Reads the environment of Open MPI, PMI (MPICH, Intel MPI) and Slurm.
StarterEnvironment read_starter_environment();

}  // namespace boostr
