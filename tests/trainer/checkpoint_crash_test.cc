#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "parallel/comm/threads.h"
#include "tests/trainer/checkpoint_fixture.h"
#include "trainer/checkpoint/checkpoint_folder.h"
#include "trainer/checkpoint/checkpoint_reader.h"
#include "trainer/checkpoint/checkpoint_writer.h"

namespace boostr::test {
namespace {

/// Runs `body` in a child process; returns its wait status. The child leaves by exit(), as a
/// program does, so that what libraries do at exit runs too.
int in_child(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    std::exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

/// Saves `step` in the background or at once, keeping `keep`, with every system call passing
/// through `fault`.
void save(const fs::path& output, int step, bool background, int keep, FileFault fault) {
  run_ranks(1, [&](Communicator& world) {
    Held model = whole(small_model());
    model.fill(step);
    CheckpointWriter writer(world, {.folder = output / "checkpoints",
                                    .keep_latest_k = keep,
                                    .copy_threads = 1,
                                    .code_version = "test",
                                    .files = FileOps(std::move(fault))});
    if (!background) {
      writer.save(model.tensors(), state_at(step));
    } else {
      writer.begin(model.tensors(), state_at(step));
      writer.commit();
    }
  });
}

FileFault none() { return {}; }

/// The step that a resume takes, having checked that its tensors hold that step's values; 0: none.
std::int64_t resumed_step(const fs::path& output) {
  std::int64_t step = 0;
  run_ranks(1, [&](Communicator& world) {
    const ResumeChoice choice = choose_checkpoint(world, output, "auto");
    EXPECT_TRUE(choice.skipped.empty()) << choice.skipped[0].reason;
    if (!choice.checkpoint) return;
    step = choice.checkpoint->state().step;
    const Held model = whole(small_model());
    choice.checkpoint->load(world, model.tensors());
    EXPECT_EQ(model.wrong(static_cast<int>(step)), 0);
  });
  return step;
}

/// Counts calls and does something at the n-th.
FileFault at_call(int n, std::function<int()> act) {
  auto count = std::make_shared<std::atomic<int>>(0);
  return [count, n, act = std::move(act)](FileOp, const fs::path&) {
    return ++*count == n ? act() : 0;
  };
}

/// How many system calls a save of `step` makes in a folder that holds the step before.
int calls_of_a_save(bool background, int keep) {
  const TemporaryFolder output;
  save(output.path(), 10, false, keep, none());
  auto count = std::make_shared<std::atomic<int>>(0);
  save(output.path(), 20, background, keep,
       [count](FileOp, const fs::path&) { return ++*count, 0; });
  return *count;
}

class Crash : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Checkpoint, Crash, testing::Bool(),
                         [](const auto& info) { return info.param ? "Background" : "AtOnce"; });

TEST_P(Crash, KillAtEverySystemCallLeavesTheOldOrTheNewCheckpoint) {
  const int calls = calls_of_a_save(GetParam(), 1);
  ASSERT_GT(calls, 20);
  int olds = 0, news = 0;
  for (int n = 1; n <= calls; ++n) {
    const TemporaryFolder output;
    save(output.path(), 10, false, 1, none());
    const int status = in_child([&] {
      save(output.path(), 20, GetParam(), 1, at_call(n, [] { return ::raise(SIGKILL); }));
    });
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "call " << n;
    const std::int64_t step = resumed_step(output.path());
    EXPECT_TRUE(step == 10 || step == 20) << "call " << n << ": step " << step;
    (step == 10 ? olds : news) += 1;
    // What the killed run left does not hinder the next.
    save(output.path(), 30, GetParam(), 1, none());
    EXPECT_EQ(names_in(output.path() / "checkpoints"), std::vector<std::string>{"step-000030"})
        << "call " << n;
  }
  EXPECT_GT(olds, 0);
  EXPECT_GT(news, 0);
}

TEST_P(Crash, FailureOfAnySystemCallIsAnErrorOrHarmless) {
  const int calls = calls_of_a_save(GetParam(), 2);
  for (int n = 1; n <= calls; ++n) {
    const TemporaryFolder output;
    save(output.path(), 10, false, 2, none());
    const std::string message =
        message_of([&] { save(output.path(), 20, GetParam(), 2, at_call(n, [] { return EIO; })); });
    const std::int64_t step = resumed_step(output.path());
    if (message.empty()) {
      EXPECT_EQ(step, 20) << "call " << n;
    } else {
      EXPECT_NE(message.find("Input/output error"), std::string::npos) << message;
      EXPECT_TRUE(step == 10 || step == 20) << "call " << n << ": " << message;
    }
  }
}

TEST_P(Crash, FullDiskRemovesWhatWasWritten) {
  const TemporaryFolder output;
  save(output.path(), 10, false, 3, none());
  for (const FileOp full :
       {FileOp::make_folder, FileOp::create, FileOp::allocate, FileOp::write, FileOp::sync}) {
    int made_folders = 0;
    const FileFault fault = [&](FileOp op, const fs::path&) {
      if (op == FileOp::make_folder && ++made_folders == 1)
        return 0;  // the one that the writer makes first
      return op == full ? ENOSPC : 0;
    };
    const std::string message = message_of([&] { save(output.path(), 20, GetParam(), 3, fault); });
    EXPECT_NE(message.find("No space left on device"), std::string::npos) << message;
    EXPECT_EQ(names_in(output.path() / "checkpoints"), std::vector<std::string>{"step-000010"});
  }
}

// Where plain HDF5 1.10 reports success or dies of a signal at exit.
TEST_P(Crash, FileSizeLimitIsAnErrorAndNoSignal) {
  for (const rlim_t limit : {rlim_t{0}, rlim_t{100}, rlim_t{4096}, rlim_t{60000}, rlim_t{145000}}) {
    const TemporaryFolder output;
    save(output.path(), 10, false, 3, none());
    const int status = in_child([&] {
      const rlimit limits{limit, limit};
      ::setrlimit(RLIMIT_FSIZE, &limits);
      const std::string message =
          message_of([&] { save(output.path(), 20, GetParam(), 3, none()); });
      const bool clear = message.find("File too large") != std::string::npos &&
                         message.find("ulimit -f") != std::string::npos;
      std::exit(clear ? 4 : 1);
    });
    EXPECT_TRUE(WIFEXITED(status)) << "limit " << limit << ": signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 4) << "limit " << limit;
    EXPECT_EQ(resumed_step(output.path()), 10);
    EXPECT_EQ(names_in(output.path() / "checkpoints"), std::vector<std::string>{"step-000010"});
  }
}

TEST(CheckpointSpace, MoreThanIsFreeIsRefusedBeforeWriting) {
  const TemporaryFolder folder;
  EXPECT_NO_THROW(FileOps().require_space(folder.path(), 1000));
  const std::string message =
      message_of([&] { FileOps().require_space(folder.path(), INT64_MAX); });
  EXPECT_NE(message.find("not enough space"), std::string::npos) << message;
}

}  // namespace
}  // namespace boostr::test
