#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "kernels/runtime/error.h"
#include "trainer/recipe.h"

namespace boostr {

/// A folder for one test's files; gone with it.
class TestFolder {
 public:
  TestFolder() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::temp_directory_path() /
            text("boostr_", getpid(), "_", test->test_suite_name(), "_", test->name());
    std::filesystem::create_directories(path_);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() { std::filesystem::remove_all(path_); }

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

  /// Writes a file, its folders included, and returns its path.
  std::string write(const std::string& name, const std::string& contents) const {
    const std::filesystem::path file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << contents;
    return file.string();
  }

 private:
  std::filesystem::path path_;
};

/// Some tens of thousands of characters of text for tests that train on bytes.
inline std::string prose() {
  std::string lines;
  for (int i = 0; i < 4000; ++i) lines += text("line ", i * i % 97, " of the text\n");
  return lines;
}

/// The little-endian bytes of `values`, each as a T.
template <class T>
std::string packed(const std::vector<std::int64_t>& values) {
  std::string bytes;
  for (const std::int64_t value : values) {
    const T stored = static_cast<T>(value);
    bytes.append(reinterpret_cast<const char*>(&stored), sizeof(T));
  }
  return bytes;
}

/// first, first + 1, ... : `count` ids.
inline std::vector<std::int64_t> counting(std::int64_t count, std::int64_t first = 0) {
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < count; ++i) ids.push_back(first + i);
  return ids;
}

/// llm.c's file; T is its id type.
template <class T>
std::string llm_c_file(std::int32_t magic, std::int32_t version,
                       const std::vector<std::int64_t>& ids) {
  std::vector<std::int64_t> header(256, 0);
  header[0] = magic;
  header[1] = version;
  header[2] = std::int64_t(ids.size());
  return packed<std::int32_t>(header) + packed<T>(ids);
}

/// Megatron's index.
inline std::string megatron_index(int dtype, const std::vector<std::int64_t>& lengths,
                                  const std::vector<std::int64_t>& pointers,
                                  const std::vector<std::int64_t>& documents) {
  return std::string("MMIDIDX\0\0", 9) + packed<std::uint64_t>({1}) +
         packed<std::uint8_t>({dtype}) +
         packed<std::uint64_t>({std::int64_t(lengths.size()), std::int64_t(documents.size())}) +
         packed<std::int32_t>(lengths) + packed<std::int64_t>(pointers) +
         packed<std::int64_t>(documents);
}

/// One gzip member.
inline std::string gzip(const std::string& plain) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, plain.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// One Zstandard frame.
inline std::string zstd(const std::string& plain) {
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 3));
  return out;
}

inline DataSource text_source(const std::string& pattern, double weight = 1) {
  DataSource source;
  source.text = pattern;
  source.weight = weight;
  return source;
}

inline DataSource jsonl_source(const std::string& pattern) {
  DataSource source;
  source.jsonl = pattern;
  return source;
}

inline DataSource tokens_source(const std::string& pattern, double weight = 1) {
  DataSource source;
  source.tokens = pattern;
  source.weight = weight;
  return source;
}

inline DataSection train_on(const std::vector<DataSource>& sources,
                            double validation_fraction = 0) {
  DataSection section;
  section.train = sources;
  section.validation_fraction = validation_fraction;
  return section;
}

/// Documents kept apart.
inline DataSection packed_on(const DataSource& source) {
  DataSection section = train_on({source});
  section.packing = true;
  return section;
}

/// The message of the Error that `body` throws with `code`; fails the test otherwise.
template <class Body>
std::string error_of(const Body& body, ExitCode code = ExitCode::data) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(int(error.code()), int(code)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error was thrown";
  return "";
}

}  // namespace boostr
