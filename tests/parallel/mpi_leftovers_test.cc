#include "parallel/comm/mpi_leftovers.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>

#include "parallel/comm/shared_memory.h"

namespace boostr {
namespace {

namespace fs = std::filesystem;

class MpiLeftovers : public ::testing::Test {
 protected:
  MpiLeftovers()
      : folder_(fs::temp_directory_path() / ("mpi_leftovers." + std::to_string(getpid()))) {
    fs::create_directory(folder_);
  }
  ~MpiLeftovers() override { fs::remove_all(folder_); }

  fs::path make(const std::string& name) {
    std::ofstream(folder_ / name) << std::string(4096, 'x');
    return folder_ / name;
  }

  fs::path folder_;
};

TEST_F(MpiLeftovers, AreRemovedForThisHostOnly) {
  const fs::path ours = make("vader_segment.here.0.1234.0");
  const fs::path another_host = make("vader_segment.there.0.1234.0");
  const fs::path something_else = make("sem.here");
  remove_mpi_leftovers(folder_, "here", std::chrono::seconds(0));
  EXPECT_FALSE(fs::exists(ours));
  EXPECT_TRUE(fs::exists(another_host));
  EXPECT_TRUE(fs::exists(something_else));
}

TEST_F(MpiLeftovers, StayWhileTheyAreYoung) {
  const fs::path young = make("vader_segment.here.0.1234.0");
  remove_mpi_leftovers(folder_, "here", std::chrono::minutes(1));
  EXPECT_TRUE(fs::exists(young));
}

TEST_F(MpiLeftovers, StayWhileAProcessMapsThem) {
  const fs::path mapped = make("vader_segment.here.0.1234.0");
  const int file = open(mapped.c_str(), O_RDONLY);
  void* address = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  remove_mpi_leftovers(folder_, "here", std::chrono::seconds(0));
  EXPECT_TRUE(fs::exists(mapped));
  munmap(address, 4096);
  remove_mpi_leftovers(folder_, "here", std::chrono::seconds(0));
  EXPECT_FALSE(fs::exists(mapped));
}

TEST_F(MpiLeftovers, OfAFolderThatDoesNotExistAreNone) {
  EXPECT_NO_THROW(remove_mpi_leftovers(folder_ / "none", "here", std::chrono::seconds(0)));
}

TEST(SharedMemory, IsSeenByWhoeverOpensIt) {
  const SharedMemory memory(5000);
  const auto second = SharedMemory::open(getpid(), memory.descriptor(), 5000);
  ASSERT_NE(second, nullptr);
  EXPECT_NE(second, memory.mapping());
  memory.mapping().get()[4999] = std::byte{42};
  EXPECT_EQ(second.get()[4999], std::byte{42});
}

TEST(SharedMemory, OfAnotherSizeOrAProcessThatIsGoneIsRefused) {
  const SharedMemory memory(5000);
  EXPECT_EQ(SharedMemory::open(getpid(), memory.descriptor(), 6000), nullptr);
  EXPECT_EQ(SharedMemory::open(0x7fffffff, 3, 5000), nullptr);
}

}  // namespace
}  // namespace boostr
