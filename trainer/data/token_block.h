#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "trainer/data/file_bytes.h"

namespace boostr {

/// How one token id is stored, little-endian.
enum class TokenType { u8, u16, u32, i16, i32, i64 };

/// Bytes of one id.
std::size_t size_of(TokenType type);
/// The largest id that the type can hold.
std::uint64_t largest_id(TokenType type);

/// A run of token ids inside one file. Shares the file's bytes; they need not be aligned.
struct TokenBlock {
  std::shared_ptr<const FileBytes> file;
  std::size_t offset = 0;        ///< byte in the file at which the run begins
  std::int64_t count = 0;        ///< tokens; offset + count * size_of(type) <= the file's size
  std::int64_t first_index = 0;  ///< the run's first token, counted as errors count a file's tokens
  TokenType type = TokenType::u8;

  /// out[i] = token first + i of this run. Throws Error(data), naming file, index and id, for an id
  /// outside [0, vocab_size), and if the file was cut short meanwhile.
  void read(std::int64_t first, std::span<std::int32_t> out, std::int64_t vocab_size) const;

  /// Throws as read does, over the whole run. Free where the type cannot hold a larger id.
  void check(std::int64_t vocab_size) const;
};

}  // namespace boostr
