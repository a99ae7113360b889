#include "parallel/comm/mpi.h"

namespace boostr {

std::unique_ptr<Communicator> mpi_world(const MpiOptions&) {
  throw Error(ExitCode::usage,
              "boostr was built without MPI; install libopenmpi-dev and build again with "
              "-DBOOSTR_MPI=ON, or run one process");
}

}  // namespace boostr
