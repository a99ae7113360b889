#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "tests/trainer/data_files.h"
#include "trainer/data/decompress.h"
#include "trainer/data/input_files.h"
#include "trainer/data/jsonl.h"
#include "trainer/data/text_files.h"
#include "trainer/tokenizer.h"

namespace boostr {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

/// Ids twice the bytes, and 999 after every document: unlike bytes in every respect.
class DoublingTokenizer final : public Tokenizer {
 public:
  std::string name() const override { return "doubling"; }
  std::int64_t vocab_size() const override { return 1000; }
  std::optional<std::int32_t> document_end() const override { return 999; }
  std::string decode(const std::vector<std::int32_t>&) const override { return ""; }
  void encode(std::string_view text, std::vector<std::int32_t>& ids) const override {
    for (const char byte : text) ids.push_back(2 * static_cast<unsigned char>(byte));
  }
};

std::vector<std::int32_t> all_tokens(const TokenStream& stream) {
  std::vector<std::int32_t> ids(std::size_t(stream.num_tokens()));
  stream.read(0, ids);
  return ids;
}

std::string all_text(const TokenStream& stream) {
  return make_tokenizer({})->decode(all_tokens(stream));
}

std::vector<std::int32_t> all_documents(const TokenStream& stream) {
  std::vector<std::int32_t> documents(std::size_t(stream.num_tokens()));
  stream.read_documents(0, documents);
  return documents;
}

TokenStream open_text(const std::vector<std::string>& paths) {
  return open_text_files(paths, *make_tokenizer({}), 256);
}

TokenStream open_jsonl(const std::vector<std::string>& paths) {
  return open_jsonl_files(paths, *make_tokenizer({}), 256);
}

/// Text that does not compress away, longer than what is read into memory instead of mapped.
std::string long_text(std::size_t size) {
  std::mt19937 random(3);
  std::string text(size, ' ');
  for (char& letter : text) letter = static_cast<char>('a' + random() % 26);
  return text;
}

TEST(ByteTokenizer, MapsEveryByteToItselfAndBack) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(static_cast<char>(byte));
  const auto tokenizer = make_tokenizer({});
  std::vector<std::int32_t> ids;
  tokenizer->encode(bytes, ids);
  EXPECT_EQ(ids.front(), 0);
  EXPECT_EQ(ids.back(), 255);
  EXPECT_EQ(tokenizer->decode(ids), bytes);
}

TEST(Tokenizer, RefusesAnUnknownType) {
  EXPECT_THAT(error_of([] { make_tokenizer({"bpe"}); }, ExitCode::usage), HasSubstr("'bpe'"));
}

TEST(InputFiles, AreSortedByPath) {
  const TestFolder folder;
  for (const char* name : {"b/2.txt", "a/10.txt", "a/9.txt", "B/1.txt", "a/x.md"}) {
    folder.write(name, "x");
  }
  EXPECT_THAT(
      find_input_files(folder / "*/*.txt", "key"),
      ElementsAre(folder / "B/1.txt", folder / "a/10.txt", folder / "a/9.txt", folder / "b/2.txt"));
}

TEST(InputFiles, ReachedTwiceThroughLinksCountOnce) {
  const TestFolder folder;
  folder.write("5.36.0/pod/a.pod", "a");
  folder.write("5.36.0/pod/b.pod", "b");
  fs::create_directory_symlink("5.36.0", folder / "5.36");
  fs::create_hard_link(folder / "5.36.0/pod/a.pod", folder / "5.36.0/pod/c.pod");
  EXPECT_THAT(find_input_files(folder / "*/pod/*.pod", "key"),
              ElementsAre(folder / "5.36.0/pod/a.pod", folder / "5.36.0/pod/b.pod"));
}

TEST(InputFiles, TakeAPlainPathWithGlobCharactersLiterally) {
  const TestFolder folder;
  const std::string path = folder.write("what[1]?.txt", "x");
  EXPECT_THAT(find_input_files(path, "key"), ElementsAre(path));
}

TEST(InputFiles, ExpandBraces) {
  const TestFolder folder;
  folder.write("a.txt", "x");
  folder.write("b.md", "x");
  EXPECT_EQ(find_input_files(folder / "*.{txt,md}", "key").size(), 2u);
}

TEST(InputFiles, NameTheKeyAndPatternThatMatchesNothing) {
  const TestFolder folder;
  const std::string pattern = folder / "*.txt";
  const std::string error = error_of([&] { find_input_files(pattern, "data.train[0].text"); });
  EXPECT_THAT(error, HasSubstr("data.train[0].text: no file matches '" + pattern + "'"));
}

TEST(InputFiles, RefuseWhatIsNoReadableFile) {
  const TestFolder folder;
  folder.write("dir.txt/inside", "x");
  EXPECT_THAT(error_of([&] { find_input_files(folder / "*.txt", "key"); }),
              HasSubstr("is a folder"));
  folder.write("empty.md", "");
  EXPECT_THAT(error_of([&] { find_input_files(folder / "*.md", "key"); }),
              HasSubstr("empty.md' is empty"));
  fs::create_symlink("nowhere", folder / "dangling.log");
  EXPECT_THAT(error_of([&] { find_input_files(folder / "*.log", "key"); }),
              HasSubstr("No such file"));
  EXPECT_THAT(error_of([&] { find_input_files("/dev/null", "key"); }),
              HasSubstr("not a regular file"));
  EXPECT_THAT(error_of([&] { find_input_files(folder / "**/*.txt", "key"); }), HasSubstr("'**'"));
}

TEST(TextFiles, AreOneStreamOfDocuments) {
  const TestFolder folder;
  const auto stream = open_text({folder.write("a", "one"), folder.write("b", "two\n")});
  EXPECT_EQ(all_text(stream), "onetwo\n");
  EXPECT_EQ(stream.num_documents(), 2);
  EXPECT_THAT(all_documents(stream), ElementsAre(0, 0, 0, 1, 1, 1, 1));
}

TEST(TextFiles, LargeFilesAreMappedAndReadAlike) {
  const TestFolder folder;
  const std::string text = long_text(300 << 10);
  const auto stream = open_text({folder.write("small", "abc"), folder.write("large", text)});
  EXPECT_FALSE(stream.blocks()[0].file->is_mapped());
  EXPECT_TRUE(stream.blocks()[1].file->is_mapped());
  EXPECT_EQ(all_text(stream), "abc" + text);
}

TEST(TextFiles, CompressedOnesReadAsThePlainOne) {
  const TestFolder folder;
  const std::string text = long_text(300 << 10);
  EXPECT_EQ(all_text(open_text({folder.write("a.gz", gzip(text))})), text);
  EXPECT_EQ(all_text(open_text({folder.write("a.zst", zstd(text))})), text);
  // What `cat a.gz b.gz` makes is a gzip file too.
  EXPECT_EQ(all_text(open_text({folder.write("b.gz", gzip(text) + gzip("tail"))})), text + "tail");
  EXPECT_EQ(all_text(open_text({folder.write("b.zst", zstd(text) + zstd("tail"))})), text + "tail");
}

TEST(TextFiles, TruncatedCompressedOnesAreRefusedAtEveryLength) {
  const std::string packed_gzip = gzip("some words to compress"), packed_zstd = zstd("some words");
  const auto prefix = [](const std::string& whole, std::size_t size) {
    return std::as_bytes(std::span(whole).first(size));
  };
  for (std::size_t size = 1; size < packed_gzip.size(); ++size) {
    EXPECT_THAT(error_of([&] { decompress_gzip(prefix(packed_gzip, size), "x.gz"); }),
                HasSubstr("'x.gz' is damaged"));
  }
  for (std::size_t size = 1; size < packed_zstd.size(); ++size) {
    EXPECT_THAT(error_of([&] { decompress_zstd(prefix(packed_zstd, size), "x.zst"); }),
                HasSubstr("'x.zst' is damaged"));
  }
}

TEST(TextFiles, CompressedOnesThatAreSomethingElseAreRefused) {
  const TestFolder folder;
  error_of([&] { open_text({folder.write("a.gz", "plain text, misnamed")}); });
  error_of([&] { open_text({folder.write("a.zst", "plain text, misnamed")}); });
  error_of([&] { open_text({folder.write("b.gz", gzip("x") + "rubbish")}); });
  EXPECT_THAT(error_of([&] { open_text({folder.write("c.gz", gzip(""))}); }), HasSubstr("no text"));
}

TEST(TextFiles, ACompressionBombIsStoppedAtTheLimit) {
  const std::string bomb(1 << 20, 'a');
  const std::string packed_gzip = gzip(bomb), packed_zstd = zstd(bomb);
  EXPECT_THAT(
      error_of([&] { decompress_gzip(std::as_bytes(std::span(packed_gzip)), "x.gz", 100000); }),
      HasSubstr("100000 bytes or more"));
  EXPECT_THAT(
      error_of([&] { decompress_zstd(std::as_bytes(std::span(packed_zstd)), "x.zst", 100000); }),
      HasSubstr("100000 bytes or more"));
}

TEST(TextFiles, AnotherTokenizerEncodesAndEndsEveryDocument) {
  const TestFolder folder;
  const DoublingTokenizer tokenizer;
  const auto text =
      open_text_files({folder.write("a", "\x01\xff"), folder.write("b", "\x02")}, tokenizer, 1000);
  EXPECT_THAT(all_tokens(text), ElementsAre(2, 510, 999, 4, 999));
  EXPECT_THAT(all_documents(text), ElementsAre(0, 0, 0, 1, 1));
  const auto jsonl = open_jsonl_files(
      {folder.write("c", "{\"text\": \"\\u0001\"}\n{\"text\": \"\"}\n")}, tokenizer, 1000);
  EXPECT_THAT(all_tokens(jsonl), ElementsAre(2, 999, 999));
}

TEST(TextFiles, OneCutShortWhileMappedIsAnErrorNotASignal) {
  const TestFolder folder;
  const std::string path = folder.write("a", long_text(600 << 10));
  const auto stream = open_text({path});
  fs::resize_file(path, 5000);
  EXPECT_THAT(error_of([&] { all_tokens(stream); }), HasSubstr("was cut short"));
}

TEST(TextFiles, OneReplacedWhileMappedKeepsItsOldContents) {
  const TestFolder folder;
  const std::string text = long_text(600 << 10), path = folder.write("a", text);
  const auto stream = open_text({path});
  fs::rename(folder.write("b", "short"), path);
  EXPECT_EQ(all_text(stream), text);
}

TEST(Jsonl, TakesTheTextOfEveryLine) {
  const TestFolder folder;
  const std::string lines =
      "{\"text\": \"one\"}\n"
      "{\"id\": 7, \"meta\": {\"text\": \"no\", \"list\": [\"text\", {\"text\": 1}]}, \"text\": "
      "\"t\\u00e4\\n\"}\r\n"
      "{\"text\": \"\"}\n"
      "{\"text\":\"last\"}";
  const auto stream = open_jsonl({folder.write("a.jsonl", lines)});
  EXPECT_EQ(all_text(stream), "onet\u00e4\nlast");
  EXPECT_EQ(stream.num_documents(), 3);
  EXPECT_EQ(all_text(open_jsonl({folder.write("a.jsonl.gz", gzip(lines))})), all_text(stream));
  EXPECT_EQ(all_text(open_jsonl({folder.write("a.jsonl.zst", zstd(lines))})), all_text(stream));
}

TEST(Jsonl, SaysFileAndLineOfABadOne) {
  for (const auto& [line, why] : std::vector<std::pair<std::string, std::string>>{
           {"{\"text\": \"x\"", "column"},
           {"{\"text\": \"x\"} {}", "column"},
           {"{\"text\": \"\xff\"}", "UTF-8"},
           {"{'text': 'x'}", "column"},
           {"", "empty line"},
           {" \r", "empty line"},
           {"{\"txt\": \"x\"}", "no \"text\""},
           {"{\"inner\": {\"text\": \"x\"}}", "no \"text\""},
           {"{\"text\": 3}", "\"text\" is a number"},
           {"{\"text\": null}", "\"text\" is null"},
           {"{\"text\": [\"x\"]}", "\"text\" is an array"},
           {"{\"text\": {\"text\": \"x\"}}", "\"text\" is an object"},
           {"{\"text\": \"x\", \"text\": \"y\"}", "occurs twice"},
           {"[\"text\"]", "found an array"},
           {"\"text\"", "found a string"},
           {"7", "found a number"}}) {
    const std::string lines = "{\"text\": \"fine\"}\n" + line + "\n{\"text\": \"fine\"}\n";
    const std::string error = error_of([&] { read_jsonl(lines, "a.jsonl", [](auto) {}); });
    EXPECT_THAT(error, HasSubstr("a.jsonl:2: error: ")) << line;
    EXPECT_THAT(error, HasSubstr(why)) << line;
  }
}

TEST(Jsonl, SurvivesDeepNesting) {
  const std::string line = "{\"a\": " + std::string(1000000, '[');
  EXPECT_THAT(error_of([&] { read_jsonl(line, "a", [](auto) {}); }), HasSubstr("a:1: error"));
}

TEST(Jsonl, RefusesALineThatIsTooLong) {
  const std::string line = "{\"text\": \"" + std::string(100, 'x') + "\"}\n";
  EXPECT_THAT(error_of([&] {
                read_jsonl(
                    line, "a", [](auto) {}, 50);
              }),
              HasSubstr("a line of 112 bytes; at most 50"));
}

}  // namespace
}  // namespace boostr
