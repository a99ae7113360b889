#include "kernels/runtime/host_memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

namespace boostr {
namespace {

namespace fs = std::filesystem;

/// Where one version of cgroups keeps its numbers.
struct GroupFiles {
  std::string_view mount, limit, usage, cache;
};
constexpr GroupFiles version_2{"sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"};
constexpr GroupFiles version_1{"sys/fs/cgroup/memory", "memory.limit_in_bytes",
                               "memory.usage_in_bytes", "total_inactive_file"};

/// The number in a file; nothing if there is none ("max").
std::optional<std::size_t> number_in(const fs::path& path) {
  std::ifstream file(path);
  std::size_t number = 0;
  if (file >> number) return number;
  return std::nullopt;
}

/// The number after a word at the begin of a line; nothing if there is none.
std::optional<std::size_t> number_after(const fs::path& path, std::string_view name) {
  std::ifstream file(path);
  std::size_t number = 0;
  for (std::string word; file >> word;
       file.ignore(std::numeric_limits<std::streamsize>::max(), '\n'))
    if (word == name && file >> number) return number;
  return std::nullopt;
}

HostMemory of_the_machine(const fs::path& root) {
  const fs::path info = root / "proc/meminfo";
  const auto total = number_after(info, "MemTotal:");
  const auto available = number_after(info, "MemAvailable:");
  HostMemory memory;
  if (total) memory.total = *total << 10;
  if (available)
    memory.available = (*available + number_after(info, "SwapFree:").value_or(0)) << 10;
  return memory;
}

/// What is in use but can be taken back at once, pages of files, counts as available.
void lower_to(const fs::path& group, const GroupFiles& files, HostMemory& memory) {
  const auto limit = number_in(group / files.limit);
  if (!limit) return;
  memory.total = std::min(memory.total, *limit);
  const std::size_t used = number_in(group / files.usage).value_or(0);
  const std::size_t cache = number_after(group / "memory.stat", files.cache).value_or(0);
  const std::size_t kept = used - std::min(used, cache);
  memory.available = std::min(memory.available, *limit - std::min(*limit, kept));
}

/// By the group at `path` below the mount and those around it. Inside a container the path is the
/// host's and leads nowhere; the mount itself is then the container's group.
void lower_by_groups(const fs::path& mount, fs::path path, const GroupFiles& files,
                     HostMemory& memory) {
  for (; !path.relative_path().empty(); path = path.parent_path())
    lower_to(mount / path.relative_path(), files, memory);
  lower_to(mount, files, memory);
}

}  // namespace

HostMemory host_memory(const fs::path& root) {
  HostMemory memory = of_the_machine(root);
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {  // number:controllers:path
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const GroupFiles* files = controllers == ",," ? &version_2 : nullptr;
    if (controllers.find(",memory,") != std::string::npos) files = &version_1;
    if (files != nullptr)
      lower_by_groups(root / files->mount, line.substr(second + 1), *files, memory);
  }
  return memory;
}

ResidentMemory resident_memory() {
  std::ifstream file("/proc/self/statm");
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGE_SIZE));
  std::size_t all = 0, resident = 0, shared = 0;
  file >> all >> resident >> shared;
  return {.own = (resident - shared) * page, .shared = shared * page};
}

}  // namespace boostr
