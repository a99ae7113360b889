#include "trainer/data/text_files.h"

#include <cstring>
#include <memory>

#include "kernels/runtime/error.h"
#include "trainer/data/file_bytes.h"
#include "trainer/data/jsonl.h"

namespace boostr {
namespace {

TokenType smallest_type(std::int64_t vocab_size) {
  for (const TokenType type : {TokenType::u8, TokenType::u16}) {
    if (std::uint64_t(vocab_size) - 1 <= largest_id(type)) return type;
  }
  return TokenType::u32;
}

/// Documents, encoded one after the other into the smallest type that holds the tokenizer's ids.
class Encoder {
 public:
  explicit Encoder(const Tokenizer& tokenizer)
      : tokenizer_(tokenizer),
        type_(smallest_type(tokenizer.vocab_size())),
        document_end_(tokenizer.document_end()) {}

  void add(std::string_view document) {
    const std::size_t before = bytes_.size();
    if (tokenizer_.ids_are_bytes()) {
      append(document.data(), document.size());
    } else {
      ids_.clear();
      tokenizer_.encode(document, ids_);
      for (const std::int32_t id : ids_) append(&id, size_of(type_));
    }
    if (document_end_) append(&*document_end_, size_of(type_));
    counts_.push_back(std::int64_t((bytes_.size() - before) / size_of(type_)));
  }

  /// Appends the documents to `stream`, as read from the file `path`.
  void finish(const std::string& path, TokenStream& stream) {
    const auto file = std::make_shared<FileBytes>(path, std::move(bytes_));
    TokenBlock block{.file = file, .type = type_};
    for (const std::int64_t count : counts_) {
      block.count = count;
      stream.begin_document();
      stream.append(block);
      block.offset += std::size_t(count) * size_of(type_);
      block.first_index += count;
    }
  }

 private:
  void append(const void* data, std::size_t size) {
    const auto first = static_cast<const std::byte*>(data);
    bytes_.insert(bytes_.end(), first, first + size);
  }

  const Tokenizer& tokenizer_;
  TokenType type_;
  std::optional<std::int32_t> document_end_;
  std::vector<std::int32_t> ids_;
  std::vector<std::byte> bytes_;
  std::vector<std::int64_t> counts_;  ///< tokens of each document
};

std::string_view as_text(const FileBytes& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

}  // namespace

TokenStream open_text_files(const std::vector<std::string>& paths, const Tokenizer& tokenizer,
                            std::int64_t vocab_size) {
  const bool in_place = tokenizer.ids_are_bytes() && !tokenizer.document_end();
  TokenStream stream(vocab_size);
  for (const std::string& path : paths) {
    auto file = open_text_file(path);
    require(!file->bytes().empty(), ExitCode::data, "'", path, "' holds no text");
    if (in_place) {
      const auto count = std::int64_t(file->bytes().size());
      stream.begin_document();
      stream.append({.file = std::move(file), .count = count, .type = TokenType::u8});
    } else {
      Encoder encoder(tokenizer);
      encoder.add(as_text(*file));
      encoder.finish(path, stream);
    }
  }
  return stream;
}

TokenStream open_jsonl_files(const std::vector<std::string>& paths, const Tokenizer& tokenizer,
                             std::int64_t vocab_size) {
  TokenStream stream(vocab_size);
  for (const std::string& path : paths) {
    const auto file = open_text_file(path);
    Encoder encoder(tokenizer);
    read_jsonl(as_text(*file), path, [&](std::string_view text) { encoder.add(text); });
    encoder.finish(path, stream);
  }
  return stream;
}

}  // namespace boostr
