#include "trainer/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <numbers>
#include <set>
#include <string>
#include <vector>

#include "tests/trainer/data_files.h"
#include "trainer/tokenizer.h"

namespace boostr {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Dataset open_dataset(const DataSection& section, std::int64_t seq_len,
                     std::int64_t vocab_size = 1000) {
  return Dataset(section, *make_tokenizer({}), {vocab_size, seq_len});
}

DataSection section_of(const std::string& tokens, double validation_fraction = 0) {
  return train_on({tokens_source(tokens)}, validation_fraction);
}

TEST(Dataset, CutsATokenFileIntoFloorOfNMinusOneOverLengthSamples) {
  const TestFolder folder;
  for (const auto& [tokens, samples] : {std::pair{5, 1}, {8, 1}, {9, 2}, {12, 2}, {13, 3}}) {
    const auto data =
        open_dataset(section_of(folder.write("a.u16", packed<std::uint16_t>(counting(tokens)))), 4);
    EXPECT_EQ(data.shares()[0].samples, samples) << tokens;
    const SampleId last{0, samples - 1};
    const int first = 4 * (samples - 1);
    EXPECT_THAT(data.read({&last, 1}).input_ids,
                ElementsAre(first, first + 1, first + 2, first + 3));
    EXPECT_THAT(data.read({&last, 1}).targets,
                ElementsAre(first + 1, first + 2, first + 3, first + 4));
  }
}

TEST(Dataset, CutsEveryTokenFileOfASourceByItself) {
  const TestFolder folder;
  folder.write("a.u16",
               packed<std::uint16_t>(counting(7, 100)));  // one sample of 4, the rest unused
  folder.write("b.u16", packed<std::uint16_t>(counting(3, 200)));  // none
  folder.write("c.u16", packed<std::uint16_t>(counting(9, 300)));  // two
  const auto data = open_dataset(section_of(folder / "*.u16"), 4);
  ASSERT_EQ(data.shares()[0].samples, 3);
  const std::vector<SampleId> ids = {{0, 0}, {0, 1}, {0, 2}};
  EXPECT_THAT(data.read(ids).input_ids,
              ElementsAre(100, 101, 102, 103, 300, 301, 302, 303, 304, 305, 306, 307));
}

TEST(Dataset, JoinsTheDocumentsOfATextSource) {
  const TestFolder folder;
  folder.write("a.txt", "abc");
  folder.write("b.txt", "defgh");
  const auto data = open_dataset(train_on({text_source(folder / "*.txt")}), 3);
  const std::vector<SampleId> ids = {{0, 0}, {0, 1}};
  const Batch batch = data.read(ids);
  EXPECT_THAT(batch.input_ids, ElementsAre('a', 'b', 'c', 'd', 'e', 'f'));
  EXPECT_THAT(batch.targets, ElementsAre('b', 'c', 'd', 'e', 'f', 'g'));
  EXPECT_THAT(batch.documents, IsEmpty());
  EXPECT_EQ(batch.num_targets, 6);
}

TEST(Dataset, PackingMarksDocumentsAndIgnoresTargetsAcrossThem) {
  const TestFolder folder;
  folder.write("a.jsonl",
               "{\"text\": \"abcd\"}\n{\"text\": \"e\"}\n{\"text\": \"fghij\"}\n{\"text\": \"k\"}");
  const auto data = open_dataset(packed_on(jsonl_source(folder / "*.jsonl")), 5);
  const std::vector<SampleId> ids = {{0, 0}, {0, 1}};
  const Batch batch = data.read(ids);
  EXPECT_THAT(batch.input_ids, ElementsAre('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'));
  EXPECT_THAT(batch.documents, ElementsAre(0, 0, 0, 0, 1, 0, 0, 0, 0, 0));
  EXPECT_THAT(batch.targets, ElementsAre('b', 'c', 'd', -100, -100, 'g', 'h', 'i', 'j', -100));
  EXPECT_EQ(batch.num_targets, 7);
}

TEST(Dataset, PackingReadsMegatronsDocuments) {
  const TestFolder folder;
  folder.write("a.idx", megatron_index(8, {2, 1, 2}, {0, 4, 6}, {0, 2, 3}));
  folder.write("a.bin", packed<std::uint16_t>({1, 2, 3, 4, 5}));
  const auto data = open_dataset(packed_on(tokens_source(folder / "a.bin")), 4);
  const SampleId id{0, 0};
  EXPECT_THAT(data.read({&id, 1}).documents, ElementsAre(0, 0, 0, 1));
  EXPECT_THAT(data.read({&id, 1}).targets, ElementsAre(2, 3, -100, 5));
}

TEST(Dataset, PackingRefusesFilesWithoutDocuments) {
  const TestFolder folder;
  const DataSection section =
      packed_on(tokens_source(folder.write("a.u16", packed<std::uint16_t>(counting(9)))));
  EXPECT_THAT(error_of([&] { open_dataset(section, 4); }), HasSubstr("no document boundaries"));
}

TEST(Dataset, CutsMicrobatchesOutOfABatch) {
  const TestFolder folder;
  folder.write("a.txt", "ab");
  folder.write("b.txt", "cdefg");
  const auto data = open_dataset(packed_on(text_source(folder / "*.txt")), 2);
  const std::vector<SampleId> ids = {{0, 0}, {0, 1}, {0, 2}};
  const Batch part = data.read(ids).rows(0, 2);
  EXPECT_EQ(part.batch, 2);
  EXPECT_THAT(part.input_ids, ElementsAre('a', 'b', 'c', 'd'));
  EXPECT_THAT(part.documents, ElementsAre(0, 0, 0, 0));
  EXPECT_EQ(part.num_targets, 3);
  EXPECT_THAT(data.read(ids).rows(2, 1).targets, ElementsAre('f', 'g'));
  EXPECT_THROW(data.read(ids).rows(2, 2), Error);
}

TEST(Dataset, TakesValidationFromTheEndOfEverySource) {
  const TestFolder folder;
  folder.write("a.u16", packed<std::uint16_t>(counting(101, 0)));   // 25 samples of 4
  folder.write("b.u16", packed<std::uint16_t>(counting(21, 200)));  // 5
  const auto data = open_dataset(
      train_on({tokens_source(folder / "a.u16"), tokens_source(folder / "b.u16")}, 0.2), 4);
  EXPECT_EQ(data.shares()[0].samples, 20);
  EXPECT_EQ(data.shares()[1].samples, 4);
  ASSERT_EQ(data.num_validation_samples(), 6);
  ASSERT_EQ(data.num_validation_batches(6), 1);
  const Batch validation = data.validation_batch(0, {.global_batch = 6});
  std::set<std::int32_t> firsts;
  for (int row = 0; row < 6; ++row) firsts.insert(validation.input_ids[4 * row]);
  EXPECT_THAT(firsts, ElementsAre(80, 84, 88, 92, 96, 216));
}

TEST(Dataset, ASmallFractionStillTakesOneSample) {
  const TestFolder folder;
  const auto path = folder.write("a.u16", packed<std::uint16_t>(counting(9)));
  EXPECT_EQ(open_dataset(section_of(path, 0.001), 4).num_validation_samples(), 1);
  EXPECT_EQ(open_dataset(section_of(path, 0.999), 4).shares()[0].samples, 1);
  EXPECT_EQ(open_dataset(section_of(path, 0), 4).num_validation_samples(), 0);
  EXPECT_THAT(error_of([&] { open_dataset(section_of(path, 0.1), 8); }),
              HasSubstr("one sequence long"));
}

TEST(Dataset, ReadsExplicitValidationSources) {
  const TestFolder folder;
  DataSection section = section_of(folder.write("a.u16", packed<std::uint16_t>(counting(9))));
  section.validation = {
      tokens_source(folder.write("b.u16", packed<std::uint16_t>(counting(5, 50))))};
  const auto data = open_dataset(section, 4);
  EXPECT_EQ(data.shares().size(), 1u);
  EXPECT_THAT(data.validation_batch(0, {.global_batch = 1}).input_ids, ElementsAre(50, 51, 52, 53));
  const auto report = data.report();
  ASSERT_EQ(report.size(), 2u);
  EXPECT_TRUE(report[1].is_validation);
  EXPECT_EQ(report[0].training_samples, 2);
  EXPECT_EQ(report[0].validation_samples, 0);
  EXPECT_EQ(report[1].validation_samples, 1);
  section.validation_fraction = 0.5;
  EXPECT_THAT(error_of([&] { open_dataset(section, 4); }, ExitCode::usage), HasSubstr("exclude"));
}

TEST(Dataset, ValidationIsTheSameForAnyNumberOfRanks) {
  const TestFolder folder;
  const auto data =
      open_dataset(section_of(folder.write("a.u16", packed<std::uint16_t>(counting(401))), 0.9), 4);
  ASSERT_EQ(data.num_validation_samples(), 90);
  ASSERT_EQ(data.num_validation_batches(8), 12);
  for (const std::int64_t index : {0, 5, 11}) {
    const Batch whole = data.validation_batch(index, {.global_batch = 8});
    std::vector<std::int32_t> joined;
    for (int rank = 0; rank < 4; ++rank) {
      const Batch part =
          data.validation_batch(index, {.global_batch = 8, .rank = rank, .ranks = 4});
      joined.insert(joined.end(), part.targets.begin(), part.targets.end());
    }
    EXPECT_EQ(joined, whole.targets);
  }
}

TEST(Dataset, FillsTheLastValidationBatchWithIgnoredRows) {
  const TestFolder folder;
  const auto data =
      open_dataset(section_of(folder.write("a.u16", packed<std::uint16_t>(counting(41))), 0.5), 4);
  std::set<std::int32_t> seen;
  std::int64_t targets = 0;
  for (std::int64_t index = 0; index < data.num_validation_batches(3); ++index) {
    const Batch batch = data.validation_batch(index, {.global_batch = 3});
    targets += batch.num_targets;
    for (const std::int32_t target : batch.targets) seen.insert(target);
  }
  EXPECT_EQ(targets, 20);
  EXPECT_EQ(seen.size(), 21u);  // 20 targets and -100
  const Batch last = data.validation_batch(1, {.global_batch = 3}).rows(2, 1);
  EXPECT_EQ(last.num_targets, 0);
  EXPECT_THAT(last.targets, Each(-100));
  EXPECT_THAT(last.input_ids, Each(0));
}

TEST(Dataset, ReportsFilesDocumentsAndTokens) {
  const TestFolder folder;
  folder.write("a.jsonl", "{\"text\": \"abcd\"}\n{\"text\": \"efgh\"}\n");
  folder.write("b.jsonl", "{\"text\": \"ij\"}\n");
  const auto data = open_dataset(train_on({jsonl_source(folder / "*.jsonl")}, 0.25), 2);
  const SourceReport report = data.report()[0];
  EXPECT_EQ(report.name, "jsonl: " + folder / "*.jsonl");
  EXPECT_EQ(report.files, 2);
  EXPECT_EQ(report.documents, 3);
  EXPECT_EQ(report.tokens, 10);
  EXPECT_EQ(report.training_samples, 3);
  EXPECT_EQ(report.validation_samples, 1);
}

TEST(Dataset, UnigramEntropyMixesSourcesByWeight) {
  const TestFolder folder;
  const std::string ones(41, '\1'), twos(41, '\2');
  folder.write("1.txt", ones);
  folder.write("2.txt", twos);
  DataSection section = train_on({text_source(folder / "1.txt", 3), text_source(folder / "2.txt")});
  EXPECT_NEAR(open_dataset(section, 4).unigram_entropy(),
              -0.75 * std::log(0.75) - 0.25 * std::log(0.25), 1e-12);
  section.train[1].weight = 0;
  EXPECT_EQ(open_dataset(section, 4).unigram_entropy(), 0);
  const auto uniform = section_of(folder.write("a.u16", packed<std::uint16_t>(counting(257))));
  EXPECT_NEAR(open_dataset(uniform, 16).unigram_entropy(), 8 * std::numbers::ln2, 1e-12);
}

TEST(Dataset, RefusesDataShorterThanOneSequence) {
  const TestFolder folder;
  const auto path = folder.write("a.u16", packed<std::uint16_t>(counting(8)));
  EXPECT_EQ(open_dataset(section_of(path), 7).shares()[0].samples, 1);
  EXPECT_THAT(error_of([&] { open_dataset(section_of(path), 8); }),
              testing::AllOf(HasSubstr("data.train[0]"), HasSubstr("it has 8 tokens"),
                             HasSubstr("training.seq_len 8 takes 9")));
  folder.write("b.u16", packed<std::uint16_t>(counting(3)));
  EXPECT_THAT(error_of([&] { open_dataset(section_of(folder / "*.u16"), 8); }),
              HasSubstr("the longest file has 8 tokens"));
}

TEST(Dataset, ChecksTheIdsOfTokenFilesWhenTheyAreOpened) {
  const TestFolder folder;
  auto ids = counting(100);
  ids[77] = 1000;
  const auto path = folder.write("a.u16", packed<std::uint16_t>(ids));
  EXPECT_THAT(error_of([&] { open_dataset(section_of(path), 4); }),
              HasSubstr("token 77 is 1000, outside the vocabulary [0, 1000)"));
}

TEST(Dataset, RefusesSectionsThatContradictThemselves) {
  const TestFolder folder;
  const auto path = folder.write("a.u16", packed<std::uint16_t>(counting(100)));
  const auto usage_error = [](const DataSection& section, std::int64_t vocab_size = 1000) {
    return error_of([&] { open_dataset(section, 4, vocab_size); }, ExitCode::usage);
  };
  EXPECT_THAT(usage_error({}), HasSubstr("no source"));
  EXPECT_THAT(usage_error(train_on({DataSource{}})),
              HasSubstr("exactly one of text, jsonl, tokens"));
  DataSource two = text_source(path);
  two.tokens = path;
  EXPECT_THAT(usage_error(train_on({two})), HasSubstr("2 are given"));
  EXPECT_THAT(usage_error(section_of(path, 1.0)), HasSubstr("validation_fraction is 1"));
  EXPECT_THAT(usage_error(train_on({text_source(path)}), 255), HasSubstr("byte tokenizer has 256"));
}

}  // namespace
}  // namespace boostr
