#include "parallel/comm/process_watch.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

namespace boostr {

// glibc has had a wrapper since 2.36 only.
ProcessWatch::ProcessWatch(int process)
    : descriptor_(static_cast<int>(syscall(SYS_pidfd_open, process, 0))) {}

ProcessWatch::~ProcessWatch() {
  if (descriptor_ >= 0) close(descriptor_);
}

ProcessWatch::ProcessWatch(ProcessWatch&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

bool ProcessWatch::has_ended() const {
  pollfd ended{.fd = descriptor_, .events = POLLIN, .revents = 0};
  return descriptor_ >= 0 && poll(&ended, 1, 0) == 1;
}

}  // namespace boostr
