#pragma once

namespace boostr {

/// What signals have asked of this process since it started. SIGUSR1, SIGTERM, SIGINT, SIGHUP and
/// SIGXCPU ask for a stop (a checkpoint, then exit 75); SIGUSR2 for a checkpoint and to go on. A
/// second SIGINT or SIGTERM ends the process at once.
struct SignalRequests {
  int stop = 0;  ///< the signal's number; 0: none
  bool save = false;
};

/// Installs the handlers; the previous ones return with the destructor. A page of a mapped file
/// that is gone (SIGBUS: the file was cut short between the check of its size and the read) ends
/// the process with exit code 3 and a message.
class SignalHandlers {
 public:
  SignalHandlers();
  ~SignalHandlers();
  SignalHandlers(const SignalHandlers&) = delete;
  SignalHandlers& operator=(const SignalHandlers&) = delete;
};

SignalRequests signal_requests();
/// A checkpoint that was asked for has been begun.
void clear_save_request();

}  // namespace boostr
