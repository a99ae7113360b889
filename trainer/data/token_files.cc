#include "trainer/data/token_files.h"

#include <array>
#include <cstring>
#include <filesystem>

#include "kernels/runtime/error.h"
#include "trainer/data/megatron_index.h"

namespace boostr {
namespace {

/// https://github.com/karpathy/llm.c, dev/data/data_common.py
struct LlmCFormat {
  std::int32_t magic;
  std::int32_t version;
  TokenType type;
};
constexpr std::array llm_c_formats = {LlmCFormat{20240520, 1, TokenType::u16},
                                      LlmCFormat{20240801, 7, TokenType::u32}};
constexpr std::int32_t llm_c_evaluation_magic = 20240522;
constexpr std::size_t llm_c_header_bytes = 256 * sizeof(std::int32_t);

std::string index_beside(const std::string& path) {
  return std::filesystem::path(path).replace_extension(".idx").string();
}

TokenStream stream_of(TokenBlock block, std::int64_t vocab_size) {
  TokenStream stream(vocab_size);
  stream.append(std::move(block));
  return stream;
}

TokenType llm_c_type(const std::string& path, std::int32_t magic, std::int32_t version) {
  require(magic != llm_c_evaluation_magic, ExitCode::data, "'", path,
          "' is a multiple-choice evaluation file of llm.c, not a token file");
  for (const LlmCFormat& format : llm_c_formats) {
    if (magic != format.magic) continue;
    require(version == format.version, ExitCode::data, "'", path, "': version ", version,
            " of llm.c's token file ", magic, "; expected ", format.version);
    return format.type;
  }
  throw Error(ExitCode::data,
              text("'", path, "' begins with ", magic,
                   ", no magic number of llm.c's token files (20240520, 20240801), and has no .idx "
                   "beside it (Megatron); raw ids are named .u16 or .u32"));
}

}  // namespace

TokenBlock llm_c_tokens(std::shared_ptr<const FileBytes> file) {
  const std::string& path = file->path();
  const auto bytes = file->bytes();
  require(bytes.size() >= llm_c_header_bytes, ExitCode::data, "'", path,
          "' is truncated: ", bytes.size(), " bytes, llm.c's header alone has ",
          llm_c_header_bytes);
  std::array<std::int32_t, 3> header;
  std::memcpy(header.data(), bytes.data(), sizeof(header));
  const auto [magic, version, count] = header;
  const TokenType type = llm_c_type(path, magic, version);
  require(count > 0, ExitCode::data, "'", path, "': the header counts ", count, " tokens");
  const std::size_t expected = llm_c_header_bytes + std::size_t(count) * size_of(type);
  require(bytes.size() == expected, ExitCode::data, "'", path, "' is ",
          bytes.size() < expected ? "truncated" : "longer than its header says", ": ", bytes.size(),
          " bytes, ", count, " tokens of ", size_of(type), " bytes take ", expected);
  return {.file = std::move(file), .offset = llm_c_header_bytes, .count = count, .type = type};
}

TokenBlock raw_tokens(std::shared_ptr<const FileBytes> file, TokenType type) {
  const std::size_t size = file->bytes().size(), width = size_of(type);
  require(size % width == 0, ExitCode::data, "'", file->path(), "' is truncated: ", size,
          " bytes are no multiple of ", width);
  return {.file = std::move(file), .count = std::int64_t(size / width), .type = type};
}

TokenStream open_token_file(const std::string& path, std::int64_t vocab_size) {
  if (path.ends_with(".u16")) {
    return stream_of(raw_tokens(open_file(path), TokenType::u16), vocab_size);
  }
  if (path.ends_with(".u32")) {
    return stream_of(raw_tokens(open_file(path), TokenType::u32), vocab_size);
  }
  require(path.ends_with(".bin"), ExitCode::data, "'", path,
          "': a token file ends in .u16, .u32 (raw ids) or .bin (llm.c; Megatron with its .idx)");
  const std::string index = index_beside(path);
  std::error_code ignored;
  if (std::filesystem::exists(index, ignored)) {
    return open_megatron(open_file(path), open_file(index), vocab_size);
  }
  return stream_of(llm_c_tokens(open_file(path)), vocab_size);
}

}  // namespace boostr
