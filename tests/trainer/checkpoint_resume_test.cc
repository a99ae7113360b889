#include <gtest/gtest.h>

#include "parallel/comm/threads.h"
#include "tests/trainer/checkpoint_fixture.h"
#include "trainer/checkpoint/checkpoint_folder.h"
#include "trainer/checkpoint/checkpoint_reader.h"
#include "trainer/checkpoint/checkpoint_writer.h"

namespace boostr::test {
namespace {

/// A run's folder with checkpoints of steps 10 and 20, written by two ranks.
class Run : public testing::Test {
 protected:
  Run() {
    run_ranks(2, [&](Communicator& world) {
      Held model = whole(small_model());
      CheckpointWriter writer(
          world, {.folder = checkpoints(), .code_version = "test", .files = FileOps()});
      for (const int step : {10, 20}) {
        model.fill(step);
        writer.save(deal_out(model.tensors(), world.rank(), world.size()), state_at(step));
      }
    });
  }
  fs::path checkpoints() const { return output.path() / "checkpoints"; }
  fs::path newest() const { return checkpoints() / "step-000020"; }

  ResumeChoice choose(const std::string& resume, int ranks = 1) const {
    ResumeChoice choice;
    run_ranks(ranks, [&](Communicator& world) {
      ResumeChoice mine = choose_checkpoint(world, output.path(), resume);
      if (world.rank() == ranks - 1) choice = std::move(mine);
    });
    return choice;
  }
  std::int64_t step_of(const ResumeChoice& choice) const {
    return choice.checkpoint ? choice.checkpoint->state().step : 0;
  }

  TemporaryFolder output;
};

TEST_F(Run, AutoTakesTheNewest) {
  const ResumeChoice choice = choose("auto");
  EXPECT_EQ(step_of(choice), 20);
  EXPECT_TRUE(choice.skipped.empty());
}

TEST_F(Run, AutoFallsBackAndSaysWhy) {
  fs::resize_file(newest() / "rank-00001.h5", 1000);
  for (const int ranks : {1, 2, 3}) {
    const ResumeChoice choice = choose("auto", ranks);
    EXPECT_EQ(step_of(choice), 10) << ranks << " ranks";
    ASSERT_EQ(choice.skipped.size(), 1u);
    EXPECT_EQ(choice.skipped[0].folder, newest());
    EXPECT_NE(choice.skipped[0].reason.find("rank-00001.h5 has 1000 bytes"), std::string::npos)
        << choice.skipped[0].reason;
  }
}

TEST_F(Run, AutoWithoutAnyWholeCheckpointStartsAnew) {
  fs::remove(checkpoints() / "step-000010/manifest.json");
  fs::remove(newest() / "rank-00000.h5");
  const ResumeChoice choice = choose("auto");
  EXPECT_FALSE(choice.checkpoint.has_value());
  EXPECT_EQ(choice.skipped.size(), 2u);
}

TEST_F(Run, ExplicitFolderIsTaken) {
  EXPECT_EQ(step_of(choose((checkpoints() / "step-000010").string())), 10);
}

TEST_F(Run, ExplicitFolderThatIsDamagedIsAnErrorThatNamesTheTensor) {
  const fs::path shard = newest() / "rank-00000.h5";
  std::string bytes = read_text(shard);
  const TensorRecord tensor = read_manifest(newest()).files[0].tensors[1];
  bytes[static_cast<std::size_t>(tensor.file_offset)] ^= 1;
  write_text(shard, bytes);
  const std::string message = message_of([&] { choose(newest().string()); });
  EXPECT_NE(message.find(shard.string()), std::string::npos) << message;
  EXPECT_NE(message.find("damaged: " + tensor.group + "/" + tensor.name + ")"), std::string::npos)
      << message;
}

TEST_F(Run, ExplicitFolderThatDoesNotExistIsAnError) {
  EXPECT_NE(message_of([&] { choose("no/such/folder"); }).find("no/such/folder"),
            std::string::npos);
}

TEST_F(Run, NeverRefusesAFolderThatHoldsARun) {
  EXPECT_NE(message_of([&] { choose("never"); }).find("already holds a run"), std::string::npos);
  fs::remove_all(checkpoints());
  EXPECT_EQ(message_of([&] { choose("never"); }), "");
  write_text(output.path() / "metrics.jsonl", "");
  EXPECT_NE(message_of([&] { choose("never"); }), "");
}

TEST_F(Run, EveryFlippedBitIsFound) {
  int unnoticed = 0;
  for (const std::string& name : names_in(newest())) {
    const fs::path file = newest() / name;
    const std::string good = read_text(file);
    // Every byte of the small files, every 97th of the shards: each region of their structure and
    // data.
    const std::size_t stride = name.ends_with(".h5") ? 97 : 1;
    std::fstream open(file, std::ios::binary | std::ios::in | std::ios::out);
    const auto put = [&](std::size_t at, int byte) {
      open.seekp(static_cast<std::streamoff>(at)).put(static_cast<char>(byte)).flush();
    };
    for (std::size_t at = 0; at < good.size(); at += stride) {
      put(at, good[at] ^ (1 << (at % 8)));
      unnoticed += message_of([&] { verify_checkpoint(newest()); }).empty();
      put(at, good[at]);
    }
  }
  EXPECT_EQ(unnoticed, 0);
  EXPECT_NO_THROW(verify_checkpoint(newest()));
}

TEST_F(Run, EveryTruncationAndExtensionIsFound) {
  for (const std::string& name : names_in(newest())) {
    const fs::path file = newest() / name;
    const std::string good = read_text(file);
    for (std::size_t part = 0; part < 40; ++part) {
      write_text(file, good.substr(0, good.size() * part / 40));
      EXPECT_NE(message_of([&] { verify_checkpoint(newest()); }), "") << name << " " << part;
    }
    write_text(file, good + '\0');
    EXPECT_NE(message_of([&] { verify_checkpoint(newest()); }), "") << name << " extended";
    write_text(file, good);
  }
}

TEST_F(Run, FilesThatAreNotPlainFilesAreRefused) {
  const fs::path shard = newest() / "rank-00000.h5";
  fs::rename(shard, newest() / "elsewhere.h5");
  fs::create_symlink("elsewhere.h5", shard);
  EXPECT_NE(message_of([&] { verify_checkpoint(newest()); }), "");
  fs::remove(shard);
  fs::create_directory(shard);
  EXPECT_NE(message_of([&] { verify_checkpoint(newest()); }), "");
}

TEST_F(Run, NamesThatAreNotCheckpointsAreNotFound) {
  for (const char* name : {"step-30", "step-0000030", "step-00003x", "step-", "step--00030",
                           "xstep-000030", ".tmp-step-000030"}) {
    fs::create_directories(checkpoints() / name);
  }
  write_text(checkpoints() / "step-000040", "a file");
  EXPECT_EQ(find_checkpoints(checkpoints()).size(), 2u);
  fs::create_directories(checkpoints() / "step-12345678");
  EXPECT_EQ(find_checkpoints(checkpoints())[0].step, 12345678);
}

}  // namespace
}  // namespace boostr::test
