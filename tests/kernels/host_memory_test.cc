#include "kernels/runtime/host_memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <string>

namespace boostr {
namespace {

constexpr std::size_t mib = 1 << 20;
constexpr const char* meminfo =
    "MemTotal: 8388608 kB\nMemFree: 1024 kB\nMemAvailable: 4194304 kB\nSwapFree: 1048576 kB\n";

using Files = std::map<std::string, std::string>;  // by path

/// A machine's files.
class Root {
 public:
  explicit Root(const Files& files) {
    for (const auto& [name, contents] : files) {
      std::filesystem::create_directories((path_ / name).parent_path());
      std::ofstream(path_ / name) << contents;
    }
  }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;
  ~Root() { std::filesystem::remove_all(path_); }
  HostMemory memory() const { return host_memory(path_); }

 private:
  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("boostr_host_memory_" + std::to_string(getpid()));
};

TEST(HostMemory, IsUnlimitedWhereNothingSaysOtherwise) {
  const Root root(Files{{"proc/version", "?"}});
  EXPECT_EQ(root.memory().total, HostMemory::unlimited);
  EXPECT_EQ(root.memory().available, HostMemory::unlimited);
}

TEST(HostMemory, IsTheMachinesWithoutGroups) {
  const Root root(Files{{"proc/meminfo", meminfo}});
  EXPECT_EQ(root.memory().total, 8192 * mib);
  EXPECT_EQ(root.memory().available, (4096 + 1024) * mib);
}

TEST(HostMemory, IsThatOfTheTightestGroupAround) {
  const Root root(Files{{"proc/meminfo", meminfo},
                        {"proc/self/cgroup", "0::/outer/inner\n"},
                        {"sys/fs/cgroup/outer/memory.max", "1073741824\n"},
                        {"sys/fs/cgroup/outer/memory.current", "943718400\n"},
                        {"sys/fs/cgroup/outer/memory.stat", "anon 1\ninactive_file 209715200\n"},
                        {"sys/fs/cgroup/outer/inner/memory.max", "max\n"}});
  EXPECT_EQ(root.memory().total, 1024 * mib);
  EXPECT_EQ(root.memory().available, (1024 - 900 + 200) * mib);
}

TEST(HostMemory, IsThatOfTheMountInsideAContainer) {
  const Root root(
      Files{{"proc/meminfo", meminfo},
            {"proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/docker/1234\n0::/\n"},
            {"sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n"},
            {"sys/fs/cgroup/memory/memory.usage_in_bytes", "805306368\n"},
            {"sys/fs/cgroup/memory/memory.stat", "cache 5\ntotal_inactive_file 1048576\n"}});
  EXPECT_EQ(root.memory().total, 512 * mib);
  EXPECT_EQ(root.memory().available, 0U);  // more is in use than the group may have
}

TEST(HostMemory, OfThisMachineIsKnown) {
  EXPECT_LT(host_memory().total, HostMemory::unlimited);
  EXPECT_LE(host_memory().available, host_memory().total * 4);
  EXPECT_GT(host_memory().available, 0U);
}

}  // namespace
}  // namespace boostr
