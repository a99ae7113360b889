#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "trainer/data/token_block.h"

namespace boostr {

/// Tokens in reading order, joined from blocks, and where documents begin. Samples are cut from one
/// stream, so no sample reaches from one stream into another.
class TokenStream {
 public:
  /// Every id read is checked to be in [0, vocab_size).
  explicit TokenStream(std::int64_t vocab_size) : vocab_size_(vocab_size) {}

  /// Appends the tokens of `block`, and joins it to the last one if it follows that directly in the
  /// file.
  void append(TokenBlock block);
  /// The next token appended begins a document. Documents without tokens are counted nowhere.
  void begin_document();

  std::int64_t num_tokens() const { return num_tokens_; }
  /// Documents with tokens; 0 for a stream whose file carries no boundaries.
  std::int64_t num_documents() const;
  bool has_documents() const { return !document_starts_.empty(); }
  const std::vector<TokenBlock>& blocks() const { return blocks_; }

  /// tokens[i] = token first + i of the stream. Throws Error(data) for an id outside the
  /// vocabulary.
  void read(std::int64_t first, std::span<std::int32_t> tokens) const;
  /// documents[i] = number of documents that begin in (first, first + i]: 0 for the document of
  /// token `first`, ascending.
  void read_documents(std::int64_t first, std::span<std::int32_t> documents) const;

 private:
  std::int64_t vocab_size_;
  std::int64_t num_tokens_ = 0;
  std::vector<TokenBlock> blocks_;
  std::vector<std::int64_t> block_starts_;     ///< stream position of each block's first token
  std::vector<std::int64_t> document_starts_;  ///< ascending, the first at 0
};

}  // namespace boostr
