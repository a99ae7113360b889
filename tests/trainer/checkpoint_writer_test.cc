#include "trainer/checkpoint/checkpoint_writer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>

#include "parallel/comm/threads.h"
#include "tests/trainer/checkpoint_fixture.h"
#include "trainer/checkpoint/checkpoint_folder.h"
#include "trainer/checkpoint/checkpoint_reader.h"

namespace boostr::test {
namespace {

CheckpointOptions options_in(const fs::path& output, int keep = 3, FileFault fault = {}) {
  return {.folder = output / "checkpoints",
          .keep_latest_k = keep,
          .copy_threads = 1,
          .code_version = "test",
          .files = FileOps(std::move(fault))};
}

/// Writes `steps` one after another, waiting for each.
void save_steps(const fs::path& output, const std::vector<int>& steps, int keep) {
  run_ranks(1, [&](Communicator& world) {
    Held model = whole(small_model());
    CheckpointWriter writer(world, options_in(output, keep));
    for (const int step : steps) {
      model.fill(step);
      writer.save(model.tensors(), state_at(step));
    }
  });
}

std::vector<std::int64_t> steps_in(const fs::path& output) {
  std::vector<std::int64_t> steps;
  for (const CheckpointFolder& folder : find_checkpoints(output / "checkpoints"))
    steps.push_back(folder.step);
  return steps;
}

TEST(CheckpointWriter, KeepsTheNewestK) {
  const TemporaryFolder output;
  save_steps(output.path(), {10, 20, 30, 40}, 2);
  EXPECT_EQ(names_in(output.path() / "checkpoints"),
            (std::vector<std::string>{"step-000030", "step-000040"}));
}

TEST(CheckpointWriter, KeepZeroKeepsAll) {
  const TemporaryFolder output;
  save_steps(output.path(), {10, 20, 30, 40}, 0);
  EXPECT_EQ(steps_in(output.path()), (std::vector<std::int64_t>{40, 30, 20, 10}));
}

TEST(CheckpointWriter, SavingAStepAgainReplacesIt) {
  const TemporaryFolder output;
  save_steps(output.path(), {10, 20}, 3);
  write_text(output.path() / "checkpoints/step-000020/rank-00000.h5", "broken");
  save_steps(output.path(), {20}, 3);
  EXPECT_EQ(names_in(output.path() / "checkpoints"),
            (std::vector<std::string>{"step-000010", "step-000020"}));
  EXPECT_NO_THROW(verify_checkpoint(output.path() / "checkpoints/step-000020"));
}

TEST(CheckpointWriter, CheckpointsOfAnotherCourseOfTheRunGo) {
  const TemporaryFolder output;
  save_steps(output.path(), {10, 20, 30}, 3);
  save_steps(output.path(), {15},
             1);  // went back to 10; 20 and 30 must not be taken for this run's
  EXPECT_EQ(steps_in(output.path()), (std::vector<std::int64_t>{15}));
}

TEST(CheckpointWriter, NothingIsRemovedWhenTheNewOneIsNotWhole) {
  const TemporaryFolder output;
  save_steps(output.path(), {10, 20}, 3);
  write_text(output.path() / "checkpoints/step-000020/rank-00000.h5", "broken");
  EXPECT_NE(
      message_of([&] { retire_checkpoints(FileOps(), output.path() / "checkpoints", 20, 1); }), "");
  EXPECT_EQ(steps_in(output.path()), (std::vector<std::int64_t>{20, 10}));
}

TEST(CheckpointWriter, DiscardsLaterCheckpointsOnRequest) {
  const TemporaryFolder output;
  save_steps(output.path(), {10, 20, 30}, 3);
  discard_later_checkpoints(FileOps(), output.path() / "checkpoints", 10);
  EXPECT_EQ(names_in(output.path() / "checkpoints"), std::vector<std::string>{"step-000010"});
}

TEST(CheckpointWriter, LeftoversOfAKilledRunGoAtTheStart) {
  const TemporaryFolder output;
  const fs::path checkpoints = output.path() / "checkpoints";
  fs::create_directories(checkpoints / ".tmp-step-000050/deeper");
  fs::create_directories(checkpoints / ".trash-step-000010");
  write_text(checkpoints / ".tmp-step-000050/rank-00000.h5", "half");
  fs::create_directories(checkpoints / "somebody-elses");
  run_ranks(
      2, [&](Communicator& world) { CheckpointWriter writer(world, options_in(output.path())); });
  EXPECT_EQ(names_in(checkpoints), std::vector<std::string>{"somebody-elses"});
}

TEST(CheckpointWriter, StatusGoesFromIdleOverWritingToWritten) {
  const TemporaryFolder output;
  std::atomic<bool> may_write = false;
  const FileFault gate = [&](FileOp op, const fs::path&) {
    if (op == FileOp::allocate) may_write.wait(false);
    return 0;
  };
  run_ranks(1, [&](Communicator& world) {
    Held model = whole(small_model());
    CheckpointWriter writer(world, options_in(output.path(), 3, gate));
    EXPECT_EQ(writer.status(), SaveStatus::idle);
    writer.begin(model.tensors(), state_at(10));
    EXPECT_EQ(writer.status(), SaveStatus::writing);
    EXPECT_FALSE(writer.done());
    may_write = true;
    may_write.notify_all();
    writer.wait();
    EXPECT_EQ(writer.status(), SaveStatus::written);
    EXPECT_TRUE(writer.done());
    EXPECT_TRUE(steps_in(output.path()).empty()) << "not a checkpoint before commit";
    const CommitReport report = writer.commit();
    EXPECT_EQ(writer.status(), SaveStatus::idle);
    EXPECT_EQ(report.step, 10);
    EXPECT_EQ(report.folder, output.path() / "checkpoints/step-000010");
    EXPECT_GT(report.bytes, 0);
  });
  EXPECT_EQ(steps_in(output.path()), std::vector<std::int64_t>{10});
}

TEST(CheckpointWriter, DestructionDuringASaveLeavesNoCheckpoint) {
  const TemporaryFolder output;
  run_ranks(1, [&](Communicator& world) {
    Held model = whole(small_model());
    CheckpointWriter writer(world, options_in(output.path()));
    writer.begin(model.tensors(), state_at(10));
  });
  EXPECT_TRUE(steps_in(output.path()).empty());
}

TEST(CheckpointWriter, FailureOnOneRankIsTheSameErrorOnAll) {
  const TemporaryFolder output;
  save_steps(output.path(), {5}, 3);
  std::vector<std::string> messages(3);
  run_ranks(3, [&](Communicator& world) {
    const bool failing = world.rank() == 1;
    const FileFault full = [failing](FileOp op, const fs::path&) {
      return failing && op == FileOp::allocate ? ENOSPC : 0;
    };
    Held model = whole(small_model());
    CheckpointWriter writer(world, options_in(output.path(), 3, full));
    writer.begin(deal_out(model.tensors(), world.rank(), world.size()), state_at(10));
    writer.wait();
    EXPECT_EQ(writer.status(), failing ? SaveStatus::failed : SaveStatus::written);
    EXPECT_EQ(writer.failure().find("No space left on device") != std::string::npos, failing);
    messages[static_cast<std::size_t>(world.rank())] = message_of([&] { writer.commit(); });
  });
  EXPECT_NE(messages[0].find("rank 1: "), std::string::npos) << messages[0];
  EXPECT_NE(messages[0].find("rank-00001.h5"), std::string::npos) << messages[0];
  EXPECT_NE(messages[0].find("No space left on device"), std::string::npos) << messages[0];
  EXPECT_EQ(messages[1], messages[0]);
  EXPECT_EQ(messages[2], messages[0]);
  EXPECT_EQ(names_in(output.path() / "checkpoints"), std::vector<std::string>{"step-000005"})
      << "temporary folder left";
}

TEST(CheckpointWriter, SavesAgainAfterAFailure) {
  const TemporaryFolder output;
  int failures = 1;
  const FileFault once = [&](FileOp op, const fs::path&) {
    return op == FileOp::write && failures-- > 0 ? EIO : 0;
  };
  run_ranks(1, [&](Communicator& world) {
    Held model = whole(small_model());
    CheckpointWriter writer(world, options_in(output.path(), 3, once));
    EXPECT_NE(message_of([&] { writer.save(model.tensors(), state_at(10)); }), "");
    EXPECT_NO_THROW(writer.save(model.tensors(), state_at(10)));
  });
  EXPECT_NO_THROW(verify_checkpoint(output.path() / "checkpoints/step-000010"));
}

TEST(CheckpointWriter, TensorsThatAreNotWholeAreRefused) {
  const auto refusal = [](std::int64_t begin) {
    const TemporaryFolder output;
    return message_of([&] {
      run_ranks(2, [&](Communicator& world) {
        Held part;  // rank 1 begins before, at, or behind rank 0's end
        part.add({"parameters", "w", {10, 2}}, {world.rank() == 0 ? 0 : begin}, {10});
        CheckpointWriter writer(world, options_in(output.path()));
        writer.save(part.tensors(), state_at(1));
      });
    });
  };
  EXPECT_EQ(refusal(10), "");
  EXPECT_NE(refusal(9).find("parameters/w: parts overlap"), std::string::npos) << refusal(9);
  Held first;
  first.add({"parameters", "w", {10, 2}}, {0}, {10});
  const TemporaryFolder output;
  const std::string message = message_of([&] {
    run_ranks(1, [&](Communicator& world) {
      CheckpointWriter writer(world, options_in(output.path()));
      writer.save(first.tensors(), state_at(1));
    });
  });
  EXPECT_NE(message.find("10 elements of [10, 2]"), std::string::npos) << message;
}

TEST(CheckpointWriter, BeginWhileASaveIsUnderWayIsAnError) {
  const TemporaryFolder output;
  run_ranks(1, [&](Communicator& world) {
    Held model = whole(small_model());
    CheckpointWriter writer(world, options_in(output.path()));
    writer.begin(model.tensors(), state_at(10));
    EXPECT_NE(message_of([&] { writer.begin(model.tensors(), state_at(11)); }), "");
    writer.commit();
  });
}

TEST(CheckpointWriter, UnusableFolderIsAnErrorOnEveryRank) {
  const TemporaryFolder output;
  write_text(output.path() / "checkpoints", "a file, not a folder");
  std::vector<std::string> messages(2);
  run_ranks(2, [&](Communicator& world) {
    messages[static_cast<std::size_t>(world.rank())] =
        message_of([&] { CheckpointWriter writer(world, options_in(output.path())); });
  });
  EXPECT_NE(messages[0].find("checkpoints"), std::string::npos) << messages[0];
  EXPECT_EQ(messages[0], messages[1]);
}

}  // namespace
}  // namespace boostr::test
