#include "trainer/data/megatron_index.h"

#include <cstring>
#include <string_view>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view magic = "MMIDIDX\0\0"sv;
constexpr std::size_t header_bytes = 9 + 8 + 1 + 8 + 8;

template <class T>
T load(std::span<const std::byte> bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

/// Where the parts of an index lie; every offset below was checked against the size of the file.
struct Layout {
  TokenType type = TokenType::u16;
  std::uint64_t num_sequences = 0;
  std::uint64_t num_document_entries = 0;
  std::size_t pointers = 0;   ///< offset of the first
  std::size_t documents = 0;  ///< offset of the first
};

TokenType type_of(std::uint8_t code, const std::string& path) {
  switch (code) {
    case 1:
      return TokenType::u8;
    case 3:
      return TokenType::i16;
    case 4:
      return TokenType::i32;
    case 5:
      return TokenType::i64;
    case 8:
      return TokenType::u16;
    default:
      throw Error(ExitCode::data, text("'", path, "': dtype code ", int(code),
                                       " holds no token ids; expected 1 (u8), 3 (i16), 4 (i32), 5 "
                                       "(i64) or 8 (u16)"));
  }
}

Layout read_header(const FileBytes& index) {
  const auto bytes = index.bytes();
  const std::string& path = index.path();
  require(bytes.size() >= header_bytes, ExitCode::data, "'", path, "' is truncated: ", bytes.size(),
          " bytes, the header of a Megatron index has ", header_bytes);
  require(std::memcmp(bytes.data(), magic.data(), magic.size()) == 0, ExitCode::data, "'", path,
          "' does not begin with MMIDIDX: no Megatron index");
  const auto version = load<std::uint64_t>(bytes, 9);
  require(version == 1, ExitCode::data, "'", path, "': version ", version,
          " of the Megatron index; expected 1");
  Layout layout;
  layout.type = type_of(load<std::uint8_t>(bytes, 17), path);
  layout.num_sequences = load<std::uint64_t>(bytes, 18);
  layout.num_document_entries = load<std::uint64_t>(bytes, 26);

  // Counts are bounded by the bytes that hold them first, so that the products below cannot wrap.
  const std::uint64_t payload = bytes.size() - header_bytes;
  const std::uint64_t sequences = layout.num_sequences, documents = layout.num_document_entries;
  const bool fits = sequences <= payload / 12 && documents <= (payload - 12 * sequences) / 8;
  const std::uint64_t rest = fits ? payload - 12 * sequences - 8 * documents : 0;
  require(fits && (rest == 0 || rest == sequences), ExitCode::data, "'", path,
          "' is truncated or damaged: ", bytes.size(), " bytes do not fit ", sequences,
          " sequences and ", documents, " document entries");
  layout.pointers = header_bytes + 4 * sequences;
  layout.documents = layout.pointers + 8 * sequences;
  return layout;
}

/// Entry d of the document index, checked: ascending from 0 to the number of sequences.
std::uint64_t document_entry(const FileBytes& index, const Layout& layout, std::uint64_t d,
                             std::uint64_t previous) {
  const auto entry = load<std::int64_t>(index.bytes(), layout.documents + 8 * d);
  const auto last = std::int64_t(layout.num_sequences);
  const bool is_first = d == 0, is_last = d + 1 == layout.num_document_entries;
  require(entry >= std::int64_t(previous) && entry <= last && (!is_first || entry == 0) &&
              (!is_last || entry == last),
          ExitCode::data, "'", index.path(), "': document entry ", d, " is ", entry,
          "; expected entries ascending from 0 to ", last);
  return std::uint64_t(entry);
}

/// Sequence s as a run of tokens of `bin`, checked to lie inside it.
TokenBlock sequence(const std::shared_ptr<const FileBytes>& bin, const FileBytes& index,
                    const Layout& layout, std::uint64_t s) {
  const auto length = load<std::int32_t>(index.bytes(), header_bytes + 4 * s);
  const auto pointer = load<std::int64_t>(index.bytes(), layout.pointers + 8 * s);
  const std::uint64_t size = bin->bytes().size(), width = size_of(layout.type);
  require(length >= 0 && pointer >= 0 && std::uint64_t(pointer) <= size &&
              std::uint64_t(length) <= (size - std::uint64_t(pointer)) / width,
          ExitCode::data, "'", index.path(), "': sequence ", s, " (", length, " tokens of ", width,
          " bytes at byte ", pointer, ") lies outside '", bin->path(), "' of ", size,
          " bytes: one of the two is truncated or damaged");
  return {.file = bin,
          .offset = std::size_t(pointer),
          .count = length,
          .first_index = std::int64_t(std::uint64_t(pointer) / width),
          .type = layout.type};
}

}  // namespace

TokenStream open_megatron(const std::shared_ptr<const FileBytes>& bin,
                          const std::shared_ptr<const FileBytes>& index, std::int64_t vocab_size) {
  const Layout layout = read_header(*index);
  require(layout.num_document_entries >= 1, ExitCode::data, "'", index->path(),
          "' has no document index");
  TokenStream stream(vocab_size);
  std::uint64_t s = 0;
  for (std::uint64_t d = 0; d < layout.num_document_entries; ++d) {
    const std::uint64_t end = document_entry(*index, layout, d, s);
    if (d > 0) stream.begin_document();
    for (; s < end; ++s) stream.append(sequence(bin, *index, layout, s));
  }
  return stream;
}

}  // namespace boostr
