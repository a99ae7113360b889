#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "tests/trainer/checkpoint_fixture.h"
#include "trainer/checkpoint/file_ops.h"
#include "trainer/checkpoint/run_lock.h"

namespace boostr::test {
namespace {

TEST(RunLock, SecondRunIsRefusedWithTheHoldersPid) {
  const TemporaryFolder output;
  const RunLock first(output.path());
  try {
    const RunLock second(output.path());
    FAIL() << "two runs hold the lock";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::checkpoint);
    EXPECT_NE(std::string(error.what()).find(text("pid ", ::getpid(), " on ")), std::string::npos)
        << error.what();
  }
}

TEST(RunLock, IsFreeAfterItsHolder) {
  const TemporaryFolder output;
  { const RunLock first(output.path()); }
  EXPECT_NO_THROW(RunLock(output.path()));
}

TEST(RunLock, KilledHolderLeavesNoLock) {
  const TemporaryFolder output;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const RunLock held(output.path());
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_NE(message_of([&] { RunLock lock(output.path()); }), "");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_NO_THROW(RunLock(output.path()));
}

TEST(RunLock, MakesTheFolder) {
  const TemporaryFolder output;
  const RunLock lock(output.path() / "runs/new");
  EXPECT_TRUE(fs::is_directory(output.path() / "runs/new"));
}

TEST(RunLock, FolderThatCannotBeMadeIsAnError) {
  const TemporaryFolder output;
  write_text(output.path() / "file", "");
  EXPECT_NE(message_of([&] { RunLock lock(output.path() / "file"); }), "");
}

TEST(WriteFileAtomically, ReplacesTheContents) {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "loss.svg";
  write_file_atomically(file, "a long first text");
  write_file_atomically(file, "second");
  EXPECT_EQ(read_text(file), "second");
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"loss.svg"});
}

TEST(WriteFileAtomically, FailureAtAnyCallLeavesTheOldContents) {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "manifest.json";
  write_file_atomically(file, "old");
  for (const FileOp failing : {FileOp::create, FileOp::write, FileOp::sync, FileOp::rename}) {
    const FileOps ops([&](FileOp op, const fs::path&) { return op == failing ? EIO : 0; });
    try {
      write_file_atomically(file, "new", ops);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::checkpoint);
    }
    EXPECT_EQ(read_text(file), "old");
  }
}

TEST(WriteFileAtomically, LinkPlantedAtTheTemporaryNameIsNotFollowed) {
  const TemporaryFolder folder;
  write_text(folder.path() / "victim", "mine");
  fs::create_symlink("victim", folder.path() / ".tmp-file");
  write_file_atomically(folder.path() / "file", "text");
  EXPECT_EQ(read_text(folder.path() / "victim"), "mine");
  EXPECT_EQ(read_text(folder.path() / "file"), "text");
}

}  // namespace
}  // namespace boostr::test
