#include "trainer/signals.h"

#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <string_view>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

// Signals reach the process, not an object: this state and the registry of handlers cannot be
// anything but global.
volatile std::sig_atomic_t stop_signal = 0;
volatile std::sig_atomic_t save_requested = 0;

constexpr std::array handled{SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGHUP, SIGXCPU, SIGBUS};
std::array<struct sigaction, handled.size()> previous;

/// Mapped files are the only memory whose pages can vanish; the read that met the hole cannot go
/// on.
[[noreturn]] void end_for_missing_page() {
  constexpr std::string_view message =
      "boostr-train: error: a data file was cut short while it was read; restore it and resume\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, message.data(), message.size());
  _exit(static_cast<int>(ExitCode::data));
}

extern "C" void on_signal(int signal) {
  if (signal == SIGBUS) end_for_missing_page();
  if (signal == SIGUSR2) {
    save_requested = 1;
    return;
  }
  const bool impatient = signal == stop_signal && (signal == SIGINT || signal == SIGTERM);
  if (impatient) _exit(128 + signal);
  stop_signal = signal;
}

}  // namespace

SignalHandlers::SignalHandlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < handled.size(); ++i) sigaction(handled[i], &action, &previous[i]);
}

SignalHandlers::~SignalHandlers() {
  for (std::size_t i = 0; i < handled.size(); ++i) sigaction(handled[i], &previous[i], nullptr);
}

SignalRequests signal_requests() { return {static_cast<int>(stop_signal), save_requested != 0}; }

void clear_save_request() { save_requested = 0; }

}  // namespace boostr
