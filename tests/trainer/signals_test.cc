#include "trainer/signals.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace boostr {
namespace {

TEST(Signals, AStopAndASaveAreToldApart) {
  const SignalHandlers handlers;
  EXPECT_EQ(signal_requests().stop, 0);
  std::raise(SIGUSR2);
  EXPECT_TRUE(signal_requests().save);
  EXPECT_EQ(signal_requests().stop, 0);
  clear_save_request();
  EXPECT_FALSE(signal_requests().save);
  std::raise(SIGUSR1);
  EXPECT_EQ(signal_requests().stop, SIGUSR1);
}

TEST(SignalsDeathTest, ASecondCtrlCEndsTheProcess) {
  const auto twice = [] {
    const SignalHandlers handlers;
    std::raise(SIGINT);
    std::raise(SIGINT);
  };
  EXPECT_EXIT(twice(), ::testing::ExitedWithCode(128 + SIGINT), "");
}

TEST(SignalsDeathTest, AMappedFileThatIsCutShortEndsTheProcessWithTheDataCode) {
  const auto read_behind_the_end = [] {
    const SignalHandlers handlers;
    char path[] = "/tmp/boostr-signals-XXXXXX";
    const int file = mkstemp(path);
    unlink(path);
    if (ftruncate(file, 8192) != 0) return;
    const auto* bytes =
        static_cast<volatile const char*>(mmap(nullptr, 8192, PROT_READ, MAP_PRIVATE, file, 0));
    if (ftruncate(file, 0) != 0) return;
    [[maybe_unused]] const char byte = bytes[4096];
  };
  EXPECT_EXIT(read_behind_the_end(), ::testing::ExitedWithCode(3),
              "was cut short while it was read");
}

}  // namespace
}  // namespace boostr
