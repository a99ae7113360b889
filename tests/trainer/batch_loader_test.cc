#include "trainer/data/batch_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/trainer/data_files.h"
#include "trainer/data/dataset.h"
#include "trainer/tokenizer.h"

namespace boostr {
namespace {

using testing::HasSubstr;

/// Two token files of different length, mixed 2 : 1.
class BatchLoading : public testing::Test {
 protected:
  BatchLoading() {
    folder_.write("a.u16", packed<std::uint16_t>(counting(201)));
    folder_.write("b.u16", packed<std::uint16_t>(counting(61, 300)));
  }

  Dataset open() const {
    const DataSection section =
        train_on({tokens_source(folder_ / "a.u16", 2), tokens_source(folder_ / "b.u16")});
    return Dataset(section, *make_tokenizer({}), {1000, 4});
  }

  /// The inputs of `steps` global batches of 12, read by `ranks` ranks and joined; moves `cursor`
  /// on.
  static std::vector<std::int32_t> stream(const Dataset& data, int steps, int ranks,
                                          DataCursor& cursor) {
    std::vector<std::vector<std::int32_t>> of_step(steps);
    DataCursor after;
    for (int rank = 0; rank < ranks; ++rank) {
      BatchLoader loader(data, cursor, {.global_batch = 12, .rank = rank, .ranks = ranks});
      for (auto& joined : of_step) {
        const Batch batch = loader.next();
        joined.insert(joined.end(), batch.input_ids.begin(), batch.input_ids.end());
      }
      EXPECT_TRUE(rank == 0 || loader.cursor() == after) << rank;
      after = loader.cursor();
    }
    cursor = after;
    std::vector<std::int32_t> all;
    for (const auto& joined : of_step) all.insert(all.end(), joined.begin(), joined.end());
    return all;
  }

  TestFolder folder_;
};

TEST_F(BatchLoading, StreamIsTheSameForAnyNumberOfRanks) {
  const Dataset data = open();
  const DataCursor start = start_cursor(data.shares(), 7);
  DataCursor cursor = start;
  const auto alone = stream(data, 20, 1, cursor);
  EXPECT_EQ(alone.size(), 20u * 12 * 4);
  EXPECT_EQ(cursor.consumed, 240);
  for (const int ranks : {2, 3, 4, 6, 12}) {
    DataCursor of_ranks = start;
    EXPECT_EQ(stream(data, 20, ranks, of_ranks), alone) << ranks;
    EXPECT_EQ(of_ranks, cursor) << ranks;
  }
}

TEST_F(BatchLoading, ContinuesExactlyWithAnotherNumberOfRanks) {
  const Dataset data = open();
  const DataCursor start = start_cursor(data.shares(), 7);
  DataCursor whole_cursor = start;
  const auto whole = stream(data, 20, 1, whole_cursor);
  DataCursor cursor = start;
  std::vector<std::int32_t> pieces;
  for (const auto& [steps, ranks] : {std::pair{1, 2}, {6, 4}, {3, 1}, {10, 3}}) {
    const auto saved = data_cursor_from_json(to_json(cursor));
    cursor = resume_cursor(saved, open().shares(), 7).cursor;
    const auto piece = stream(data, steps, ranks, cursor);
    pieces.insert(pieces.end(), piece.begin(), piece.end());
  }
  EXPECT_EQ(pieces, whole);
  EXPECT_EQ(cursor, whole_cursor);
}

TEST_F(BatchLoading, KeepsTheMixture) {
  const Dataset data = open();
  BatchLoader loader(data, start_cursor(data.shares(), 7), {.global_batch = 12});
  for (int step = 0; step < 10; ++step) {
    const Batch batch = loader.next();
    int of_b = 0;
    for (int row = 0; row < 12; ++row) of_b += batch.input_ids[4 * row] >= 300;
    EXPECT_EQ(of_b, 4) << step;
  }
}

TEST_F(BatchLoading, CursorDoesNotRunAheadWithTheReadAhead) {
  const Dataset data = open();
  BatchLoader loader(data, start_cursor(data.shares(), 7), {.global_batch = 12});
  EXPECT_EQ(loader.cursor().consumed, 0);
  loader.next();
  EXPECT_EQ(loader.cursor().consumed, 12);
}

TEST_F(BatchLoading, RefusesAGlobalBatchThatCannotBeSplit) {
  const Dataset data = open();
  const auto error = error_of(
      [&] { BatchLoader(data, start_cursor(data.shares(), 7), {.global_batch = 12, .ranks = 5}); },
      ExitCode::usage);
  EXPECT_THAT(error, HasSubstr("12 cannot be split over 5"));
}

TEST_F(BatchLoading, StaysWhereItIsWhenAFileWasCutShort) {
  const auto ids = std::vector<std::int64_t>(1 << 18, 1);
  const auto path = folder_.write("c.u16", packed<std::uint16_t>(ids));
  const Dataset data(train_on({tokens_source(path)}), *make_tokenizer({}), {1000, 64});
  std::filesystem::resize_file(path, 100);
  BatchLoader loader(data, start_cursor(data.shares(), 7), {.global_batch = 2});
  EXPECT_THAT(error_of([&] { loader.next(); }), HasSubstr("was cut short"));
  EXPECT_EQ(loader.cursor().consumed, 0);
  std::filesystem::resize_file(path, ids.size() * 2);
  EXPECT_EQ(loader.next().batch, 2);
}

TEST_F(BatchLoading, CanBeAbandonedWhileItReadsAhead) {
  const Dataset data = open();
  for (int i = 0; i < 200; ++i) {
    BatchLoader loader(data, start_cursor(data.shares(), i), {.global_batch = 12});
    if (i % 2 == 0) loader.next();
  }
}

}  // namespace
}  // namespace boostr
