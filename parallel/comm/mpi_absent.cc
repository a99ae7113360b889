#include "parallel/comm/mpi.h"

namespace boostr {

void require_mpi() {
  throw Error(ExitCode::usage,
              "boostr was built without MPI; install libopenmpi-dev and build again with "
              "-DBOOSTR_MPI=ON, or run one process");
}

std::unique_ptr<Communicator> mpi_world(const MpiOptions&) {
  require_mpi();
  return nullptr;
}

}  // namespace boostr
