#include "trainer/checkpoint/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include "trainer/checkpoint/hash.h"

namespace boostr {
namespace {

std::string reason(int error) { return std::generic_category().message(error); }

std::int64_t size_of_regular(const File& file) {
  require(file.descriptor() >= 0, ExitCode::checkpoint, "cannot open ", file.path().string(), ": ",
          reason(errno));
  struct stat status {};
  require(::fstat(file.descriptor(), &status) == 0, ExitCode::checkpoint, "cannot look at ",
          file.path().string(), ": ", reason(errno));
  require(S_ISREG(status.st_mode), ExitCode::checkpoint, file.path().string(),
          " is not a regular file");
  return status.st_size;
}

}  // namespace

// O_NONBLOCK: opening a FIFO must not wait for a writer.
FileToRead::FileToRead(const std::filesystem::path& path)
    : file_(path, ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)),
      size_(size_of_regular(file_)) {}

void FileToRead::read(std::int64_t offset, void* to, std::int64_t bytes) const {
  auto* target = static_cast<char*>(to);
  while (bytes > 0) {
    const ssize_t count =
        ::pread(file_.descriptor(), target, static_cast<std::size_t>(bytes), offset);
    if (count < 0 && errno == EINTR) continue;
    require(count > 0, ExitCode::checkpoint, "cannot read byte ", offset, " of ", path().string(),
            ": ", count < 0 ? reason(errno) : "the file ends there");
    target += count;
    offset += count;
    bytes -= count;
  }
}

std::string FileToRead::hash(std::int64_t offset, std::int64_t bytes) const {
  constexpr std::int64_t chunk_bytes = std::int64_t{1} << 20;
  std::vector<std::byte> chunk(static_cast<std::size_t>(std::min(chunk_bytes, bytes)));
  Hash128 hash;
  while (bytes > 0) {
    const std::int64_t count = std::min(chunk_bytes, bytes);
    read(offset, chunk.data(), count);
    hash.update(chunk.data(), static_cast<std::size_t>(count));
    offset += count;
    bytes -= count;
  }
  return hash.digest();
}

}  // namespace boostr
