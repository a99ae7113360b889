#pragma once

#include <string>
#include <vector>

namespace boostr {

/// Starts `ranks` processes of this program with `arguments` under mpirun, with the binding and
/// oversubscription flags that fit this machine, and returns their exit code. A signal that asks to
/// stop (Ctrl-C, SIGTERM, SIGHUP) reaches the ranks as SIGUSR1, which they answer with a checkpoint
/// and exit code 75. A verb that saves nothing ends at once with 128 + the signal; at a second
/// signal all do. (mpirun itself would kill them a second later.) Error(usage) if mpirun is not
/// installed or this build is without MPI.
int launch_under_mpirun(int ranks, const std::vector<std::string>& arguments);

/// The command line that launch_under_mpirun runs.
std::vector<std::string> mpirun_command(int ranks, int cores, bool root, const std::string& program,
                                        const std::vector<std::string>& arguments);

}  // namespace boostr
