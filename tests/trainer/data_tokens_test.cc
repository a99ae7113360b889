#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tests/trainer/data_files.h"
#include "trainer/data/megatron_index.h"
#include "trainer/data/token_files.h"

namespace boostr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::int32_t> all_tokens(const TokenStream& stream) {
  std::vector<std::int32_t> ids(std::size_t(stream.num_tokens()));
  stream.read(0, ids);
  return ids;
}

/// Opens a token file, and reads all of it.
std::vector<std::int32_t> read_tokens(const std::string& path, std::int64_t vocab_size = 1000) {
  return all_tokens(open_token_file(path, vocab_size));
}

TEST(TokenFiles, RawIdsAreReadAsTheyLie) {
  const TestFolder folder;
  EXPECT_THAT(read_tokens(folder.write("a.u16", packed<std::uint16_t>({1, 999, 3}))),
              ElementsAre(1, 999, 3));
  EXPECT_THAT(read_tokens(folder.write("a.u32", packed<std::uint32_t>({1, 70000, 3})), 100000),
              ElementsAre(1, 70000, 3));
}

TEST(TokenFiles, RawIdsCarryNoDocuments) {
  const TestFolder folder;
  const auto path = folder.write("a.u16", packed<std::uint16_t>({1, 2, 3}));
  EXPECT_FALSE(open_token_file(path, 10).has_documents());
  EXPECT_EQ(open_token_file(path, 10).num_documents(), 0);
}

TEST(TokenFiles, LlmCFilesAreReadBehindTheirHeader) {
  const TestFolder folder;
  EXPECT_THAT(read_tokens(folder.write("a.bin", llm_c_file<std::uint16_t>(20240520, 1, {5, 6, 7}))),
              ElementsAre(5, 6, 7));
  EXPECT_THAT(read_tokens(folder.write("b.bin", llm_c_file<std::uint32_t>(20240801, 7, {5, 99999})),
                          100000),
              ElementsAre(5, 99999));
}

TEST(TokenFiles, MegatronSequencesAreReadInTheIndexOrder) {
  const TestFolder folder;
  folder.write("a.idx", megatron_index(8, {2, 1, 3, 0}, {0, 4, 6, 12}, {0, 2, 3, 4}));
  const auto stream =
      open_token_file(folder.write("a.bin", packed<std::uint16_t>({1, 2, 3, 4, 5, 6})), 10);
  EXPECT_THAT(all_tokens(stream), ElementsAre(1, 2, 3, 4, 5, 6));
  std::vector<std::int32_t> documents(6);
  stream.read_documents(0, documents);
  EXPECT_THAT(documents, ElementsAre(0, 0, 0, 1, 1, 1));
  EXPECT_EQ(stream.num_documents(), 2);  // the third has no tokens
  EXPECT_EQ(stream.blocks().size(), 1u);
}

TEST(TokenFiles, MegatronSequencesMayLieInAnyOrder) {
  const TestFolder folder;
  folder.write("a.idx", megatron_index(8, {2, 2}, {6, 0}, {0, 1, 2}));
  EXPECT_THAT(read_tokens(folder.write("a.bin", packed<std::uint16_t>({1, 2, 3, 4, 5}))),
              ElementsAre(4, 5, 1, 2));
}

TEST(TokenFiles, MegatronReadsEveryIntegerType) {
  const TestFolder folder;
  const std::vector<std::int64_t> ids = {3, 100, 7};
  const auto read_as = [&](int dtype, const std::string& bin, std::int64_t width) {
    folder.write("a.idx",
                 megatron_index(dtype, {3}, {0}, {0, 1}) + '\0');  // with a multimodal mode
    EXPECT_EQ(std::int64_t(bin.size()), 3 * width);
    return read_tokens(folder.write("a.bin", bin));
  };
  EXPECT_THAT(read_as(1, packed<std::uint8_t>(ids), 1), ElementsAre(3, 100, 7));
  EXPECT_THAT(read_as(3, packed<std::int16_t>(ids), 2), ElementsAre(3, 100, 7));
  EXPECT_THAT(read_as(4, packed<std::int32_t>(ids), 4), ElementsAre(3, 100, 7));
  EXPECT_THAT(read_as(5, packed<std::int64_t>(ids), 8), ElementsAre(3, 100, 7));
  EXPECT_THAT(read_as(8, packed<std::uint16_t>(ids), 2), ElementsAre(3, 100, 7));
}

TEST(TokenFiles, SayWhereAnIdIsOutsideTheVocabulary) {
  const TestFolder folder;
  const auto error_reading = [&](const std::string& path, std::int64_t vocab_size) {
    return error_of([&] { read_tokens(path, vocab_size); });
  };
  const auto raw = folder.write("a.u16", packed<std::uint16_t>({1, 2, 50, 3}));
  EXPECT_THAT(error_reading(raw, 50),
              HasSubstr("a.u16': token 2 is 50, outside the vocabulary [0, 50)"));
  EXPECT_THAT(read_tokens(raw, 51), ElementsAre(1, 2, 50, 3));
  const auto wide = folder.write("a.u32", packed<std::uint32_t>({1, 0xffffffff}));
  EXPECT_THAT(error_reading(wide, 50), HasSubstr("token 1 is 4294967295"));
  folder.write("a.idx", megatron_index(5, {1, 2}, {0, 8}, {0, 1, 2}));
  const auto negative = folder.write("a.bin", packed<std::int64_t>({4, 5, -1}));
  EXPECT_THAT(error_reading(negative, 50), HasSubstr("token 2 is -1"));
  EXPECT_THAT(error_of([&] { open_token_file(raw, 50).blocks()[0].check(50); }),
              HasSubstr("token 2 is 50"));
}

TEST(TokenFiles, RefuseTruncatedAndMisnamedFiles) {
  const TestFolder folder;
  const auto error_opening = [](const std::string& path) {
    return error_of([&] { open_token_file(path, 1000); });
  };
  EXPECT_THAT(error_opening(folder.write("a.u16", "123")), HasSubstr("truncated: 3 bytes"));
  EXPECT_THAT(error_opening(folder.write("a.u32", "123456")), HasSubstr("truncated: 6 bytes"));
  EXPECT_THAT(error_opening(folder.write("a.npy", "1234")), HasSubstr("ends in .u16, .u32"));
  EXPECT_THAT(error_opening(folder.write("a.bin", "1234")), HasSubstr("truncated: 4 bytes"));
  EXPECT_THAT(error_opening(folder.write("b.bin", std::string(2000, '\1'))),
              HasSubstr("no magic number"));
  const std::string good = llm_c_file<std::uint16_t>(20240520, 1, counting(50));
  EXPECT_THAT(error_opening(folder.write("c.bin", good.substr(0, good.size() - 1))),
              HasSubstr("truncated: 1123 bytes, 50 tokens of 2 bytes take 1124"));
  EXPECT_THAT(error_opening(folder.write("d.bin", good + "x")),
              HasSubstr("longer than its header"));
  EXPECT_THAT(error_opening(folder.write("e.bin", llm_c_file<std::uint16_t>(20240520, 7, {1}))),
              HasSubstr("version 7"));
  EXPECT_THAT(error_opening(folder.write("f.bin", llm_c_file<std::uint16_t>(20240522, 1, {1}))),
              HasSubstr("evaluation file"));
  EXPECT_THAT(error_opening(folder.write("g.bin", llm_c_file<std::uint16_t>(20240520, 1, {}))),
              HasSubstr("counts 0 tokens"));
}

TEST(TokenFiles, RefuseAMegatronIndexThatDoesNotFit) {
  const TestFolder folder;
  const std::string bin = folder.write("a.bin", packed<std::uint16_t>({1, 2, 3, 4}));
  const auto error_with = [&](const std::string& index) {
    folder.write("a.idx", index);
    return error_of([&] { open_token_file(bin, 1000); });
  };
  EXPECT_THAT(error_with(megatron_index(8, {4, 1}, {0, 8}, {0, 2})),
              HasSubstr("sequence 1 (1 tokens"));
  EXPECT_THAT(error_with(megatron_index(8, {-1}, {0}, {0, 1})), HasSubstr("sequence 0 (-1 tokens"));
  EXPECT_THAT(error_with(megatron_index(8, {1}, {-2}, {0, 1})), HasSubstr("at byte -2"));
  EXPECT_THAT(error_with(megatron_index(8, {1}, {INT64_MAX}, {0, 1})), HasSubstr("lies outside"));
  EXPECT_THAT(error_with(megatron_index(8, {INT32_MAX}, {0}, {0, 1})), HasSubstr("lies outside"));
  EXPECT_THAT(error_with(megatron_index(6, {1}, {0}, {0, 1})), HasSubstr("dtype code 6"));
  EXPECT_THAT(error_with(megatron_index(8, {1}, {0}, {0, 2})), HasSubstr("document entry 1 is 2"));
  EXPECT_THAT(error_with(megatron_index(8, {1, 1}, {0, 2}, {1, 2})),
              HasSubstr("document entry 0 is 1"));
  EXPECT_THAT(error_with(megatron_index(8, {1, 1}, {0, 2}, {0, 1})),
              HasSubstr("document entry 1 is 1"));
  EXPECT_THAT(error_with(megatron_index(8, {1}, {0}, {})), HasSubstr("no document index"));
  const std::string good = megatron_index(8, {4}, {0}, {0, 1});
  EXPECT_THAT(error_with(good + "xyz"), HasSubstr("do not fit 1 sequences"));
  std::string wrapping = good;  // 12 * this count is 12 modulo 2^64
  const std::uint64_t count = (std::uint64_t{1} << 62) + 1;
  std::memcpy(wrapping.data() + 18, &count, sizeof(count));
  EXPECT_THAT(error_with(wrapping), HasSubstr("do not fit"));
  for (std::size_t size = 1; size < good.size(); ++size) {
    EXPECT_THAT(error_with(good.substr(0, size)), HasSubstr("a.idx'"));
  }
}

std::shared_ptr<const FileBytes> in_memory(const std::string& contents) {
  const auto bytes = std::as_bytes(std::span(contents));
  return std::make_shared<FileBytes>("memory", std::vector(bytes.begin(), bytes.end()));
}

TEST(TokenStream, JoinsBlocksOfOneFileOnly) {
  const auto first = in_memory("abcd"), second = in_memory("efgh");
  TokenStream stream(256);
  stream.append({.file = first, .offset = 0, .count = 1});
  stream.append({.file = first, .offset = 1, .count = 1});
  stream.append(
      {.file = second, .offset = 2, .count = 1});  // where the last one ends, but elsewhere
  EXPECT_EQ(stream.blocks().size(), 2u);
  EXPECT_THAT(all_tokens(stream), ElementsAre('a', 'b', 'g'));
}

/// Calls `open` with every change of one byte among the first `size` of `contents`, and reads all
/// of the stream that it returns. Only Error(data) may come out. Returns how many changes were
/// noticed.
int survive_changes(std::string contents, std::size_t size,
                    const std::function<TokenStream(std::shared_ptr<const FileBytes>)>& open) {
  int noticed = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const char original = contents[i];
    for (const int change : {0x01, 0x80, 0xff, 0x7f}) {
      contents[i] = static_cast<char>(original ^ change);
      try {
        all_tokens(open(in_memory(contents)));
      } catch (const Error& error) {
        EXPECT_EQ(int(error.code()), int(ExitCode::data)) << error.what();
        ++noticed;
      }
    }
    contents[i] = original;
  }
  return noticed;
}

TEST(TokenFiles, SurviveEveryChangedByteOfAnLlmCHeader) {
  const std::string good = llm_c_file<std::uint16_t>(20240520, 1, counting(50));
  const int noticed = survive_changes(good, 12, [](std::shared_ptr<const FileBytes> file) {
    TokenStream stream(1000);
    stream.append(llm_c_tokens(std::move(file)));
    return stream;
  });
  EXPECT_EQ(noticed, 12 * 4);
}

TEST(TokenFiles, SurviveEveryChangedByteOfAMegatronIndex) {
  const std::string good = megatron_index(8, {10, 20, 20}, {0, 20, 60}, {0, 1, 3});
  const auto bin = in_memory(packed<std::uint16_t>(counting(50)));
  const int noticed = survive_changes(
      good, good.size(), [&](const auto& index) { return open_megatron(bin, index, 1000); });
  EXPECT_GT(
      noticed,
      34 * 4);  // every one in the header but a dtype of the same width, and most of the entries
}

}  // namespace
}  // namespace boostr
