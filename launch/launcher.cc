#include "launch/launcher.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "kernels/runtime/error.h"
#include "parallel/comm/mpi.h"

namespace boostr {
namespace {

// A signal handler can reach nothing but globals.
volatile std::sig_atomic_t mpirun_pid = 0;
volatile std::sig_atomic_t stop_signal = 0;
volatile std::sig_atomic_t mpirun_ended = 0;

extern "C" void pass_on(int signal) {
  if (mpirun_pid <= 0) return;
  const bool stop = signal == SIGINT || signal == SIGTERM || signal == SIGHUP;
  const bool impatient = stop && stop_signal != 0;
  kill(mpirun_pid, !stop ? signal : impatient ? SIGTERM : SIGUSR1);
  if (stop) stop_signal = signal;
  if (impatient) mpirun_ended = 1;
}

void install_handlers() {
  struct sigaction action {};
  action.sa_handler = pass_on;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2})
    sigaction(signal, &action, nullptr);
}

/// Becomes mpirun. In a process group of its own, so that a terminal's Ctrl-C reaches the launcher
/// alone; ended with the launcher.
[[noreturn]] void become(const std::vector<std::string>& command) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const int nothing = open("/dev/null", O_RDONLY);
  if (nothing >= 0) dup2(nothing, STDIN_FILENO);
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execvp(words[0], words.data());
  _exit(127);
}

bool on_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::string folders = path != nullptr ? path : "/usr/bin:/bin";
  for (std::size_t begin = 0; begin <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', begin), folders.size());
    if (access((folders.substr(begin, end - begin) + "/" + program).c_str(), X_OK) == 0)
      return true;
    begin = end + 1;
  }
  return false;
}

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    require(errno == EINTR, ExitCode::communication, "lost mpirun");
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  return 128 + WTERMSIG(status);
}

}  // namespace

std::vector<std::string> mpirun_command(int ranks, int cores, bool root, const std::string& program,
                                        const std::vector<std::string>& arguments) {
  // Each rank divides the cores itself; mpirun's own binding would leave it one.
  std::vector<std::string> command{"mpirun", "-np", std::to_string(ranks), "--bind-to", "none"};
  if (ranks > cores) command.emplace_back("--oversubscribe");
  if (root) command.emplace_back("--allow-run-as-root");
  command.push_back(program);
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

int launch_under_mpirun(int ranks, const std::vector<std::string>& arguments) {
  if (ranks > 1) require_mpi();
  require(on_path("mpirun"), ExitCode::usage, "-n ", ranks,
          " needs mpirun, which is not installed; install Open MPI "
          "(Debian: openmpi-bin)");
  // Without ssh Open MPI refuses to start even on one host, unless it is told not to look for
  // others.
  if (!on_path("ssh")) setenv("OMPI_MCA_plm", "isolated", 0);
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const auto command = mpirun_command(ranks, static_cast<int>(std::thread::hardware_concurrency()),
                                      geteuid() == 0, program, arguments);
  install_handlers();
  const pid_t child = fork();
  require(child >= 0, ExitCode::communication, "cannot start mpirun: no more processes");
  if (child == 0) become(command);
  mpirun_pid = child;
  const int code = wait_for(child);
  require(code != 127, ExitCode::usage, "mpirun could not be run");
  const bool ended_as_asked = (stop_signal != 0 && code > 128) || (mpirun_ended != 0 && code == 1);
  if (ended_as_asked) return 128 + stop_signal;
  require(code <= 128, ExitCode::communication, "a rank was ended by signal ", code - 128,
          code == 128 + SIGKILL ? " (by the system, for want of memory?)" : "",
          "; run the same command again to go on from the last checkpoint");
  return code;
}

}  // namespace boostr
