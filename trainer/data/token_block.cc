#include "trainer/data/token_block.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

static_assert(std::endian::native == std::endian::little, "token files are little-endian");

/// Calls `body` with a value of the C++ type that `type` stores.
template <class Body>
auto with_type(TokenType type, const Body& body) {
  switch (type) {
    case TokenType::u8:
      return body(std::uint8_t{});
    case TokenType::u16:
      return body(std::uint16_t{});
    case TokenType::u32:
      return body(std::uint32_t{});
    case TokenType::i16:
      return body(std::int16_t{});
    case TokenType::i32:
      return body(std::int32_t{});
    case TokenType::i64:
      return body(std::int64_t{});
  }
  throw Error("unknown token type");
}

[[noreturn]] void bad_id(const TokenBlock& block, std::int64_t index, std::int64_t id,
                         std::int64_t vocab_size) {
  throw Error(ExitCode::data, text("'", block.file->path(), "': token ", block.first_index + index,
                                   " is ", id, ", outside the vocabulary [0, ", vocab_size,
                                   "); raise model.vocab_size or tokenise the data again"));
}

/// Copies with a check; the check is one comparison in a loop without exits, so that it vectorises.
template <class Stored>
void read_as(const TokenBlock& block, std::int64_t first, std::span<std::int32_t> out,
             std::int64_t vocab_size) {
  const std::byte* source =
      block.file->bytes().data() + block.offset + std::size_t(first) * sizeof(Stored);
  std::uint64_t outside = 0;
  const auto limit = static_cast<std::uint64_t>(vocab_size);
  for (std::size_t i = 0; i < out.size(); ++i) {
    Stored id;
    std::memcpy(&id, source + i * sizeof(Stored), sizeof(Stored));
    outside |= std::uint64_t{static_cast<std::uint64_t>(static_cast<std::int64_t>(id)) >= limit};
    out[i] = static_cast<std::int32_t>(id);
  }
  if (!outside) return;
  for (std::size_t i = 0; i < out.size(); ++i) {
    Stored id;
    std::memcpy(&id, source + i * sizeof(Stored), sizeof(Stored));
    const auto wide = static_cast<std::int64_t>(id);
    if (wide < 0 || wide >= vocab_size) bad_id(block, first + std::int64_t(i), wide, vocab_size);
  }
}

}  // namespace

std::size_t size_of(TokenType type) {
  return with_type(type, [](auto stored) { return sizeof(stored); });
}

std::uint64_t largest_id(TokenType type) {
  return with_type(type, [](auto stored) {
    return static_cast<std::uint64_t>(std::numeric_limits<decltype(stored)>::max());
  });
}

void TokenBlock::read(std::int64_t first, std::span<std::int32_t> out,
                      std::int64_t vocab_size) const {
  const auto wanted = static_cast<std::int64_t>(out.size());
  expect(first >= 0 && wanted <= count && first <= count - wanted, "'", file->path(), "': tokens [",
         first, ", +", wanted, ") of a run of ", count);
  file->check_not_truncated();
  with_type(type, [&]<class Stored>(Stored) { read_as<Stored>(*this, first, out, vocab_size); });
}

void TokenBlock::check(std::int64_t vocab_size) const {
  const bool is_signed =
      with_type(type, [](auto stored) { return std::is_signed_v<decltype(stored)>; });
  if (!is_signed && largest_id(type) < static_cast<std::uint64_t>(vocab_size)) return;
  std::array<std::int32_t, 4096> ids;
  for (std::int64_t first = 0; first < count; first += std::int64_t(ids.size())) {
    const auto some = std::min<std::int64_t>(count - first, ids.size());
    read(first, std::span(ids).first(std::size_t(some)), vocab_size);
  }
}

}  // namespace boostr
