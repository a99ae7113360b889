#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/recipe.h"

namespace boostr {

/// Turns text into token ids. An implementation is constant after construction, so that ranks and
/// threads may share it.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// The recipe's name of this tokenizer.
  virtual std::string name() const = 0;
  /// Every id is in [0, vocab_size).
  virtual std::int64_t vocab_size() const = 0;
  /// Appends the ids of `text`, one whole document or a part of one, to `ids`.
  virtual void encode(std::string_view text, std::vector<std::int32_t>& ids) const = 0;
  /// The text of `ids`.
  virtual std::string decode(const std::vector<std::int32_t>& ids) const = 0;
  /// The id that is appended to every document, or none: then documents follow each other with
  /// nothing in between.
  virtual std::optional<std::int32_t> document_end() const = 0;
  /// Whether the ids of a text are its bytes. Plain text files are then mapped instead of encoded.
  virtual bool ids_are_bytes() const { return false; }
};

/// The tokenizer that `section` names; throws Error(usage) for an unknown type.
std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerSection& section);

}  // namespace boostr
