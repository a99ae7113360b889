#include "trainer/checkpoint/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

namespace boostr {
namespace {

std::string host_name() {
  std::array<char, 256> host{};
  return ::gethostname(host.data(), host.size() - 1) == 0 ? host.data() : "unknown";
}

/// What the file says about the process that holds the lock.
std::string holder(int fd) {
  std::array<char, 300> line{};
  const ssize_t length = ::pread(fd, line.data(), line.size() - 1, 0);
  std::string said(line.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  while (!said.empty() && said.back() == '\n') said.pop_back();
  return said.empty() ? "an unknown process" : said;
}

File take(const std::filesystem::path& output) {
  FileOps().make_folder(output);
  const std::filesystem::path path = output / ".lock";
  File file(path, ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644));
  require(file.descriptor() >= 0, ExitCode::checkpoint, "cannot open the lock ", path.string(),
          ": ", std::generic_category().message(errno),
          "; make the folder writable or choose another output");
  if (::flock(file.descriptor(), LOCK_EX | LOCK_NB) != 0) {
    require(errno == EWOULDBLOCK, ExitCode::checkpoint, "cannot lock ", path.string(), ": ",
            std::generic_category().message(errno),
            "; choose an output on a file system that has locks");
    throw Error(ExitCode::checkpoint,
                text("another run is writing to ", output.string(), " (", holder(file.descriptor()),
                     "); wait for it, stop it, or choose another output"));
  }
  const std::string said = text("pid ", ::getpid(), " on ", host_name(), "\n");
  // Only for the message of the run that comes second: a full disk must not matter here.
  if (::ftruncate(file.descriptor(), 0) == 0 &&
      ::pwrite(file.descriptor(), said.data(), said.size(), 0) < 0)
    errno = 0;
  return file;
}

}  // namespace

RunLock::RunLock(const std::filesystem::path& output) : file_(take(output)) {}

}  // namespace boostr
