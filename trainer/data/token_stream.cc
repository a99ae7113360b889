#include "trainer/data/token_stream.h"

#include <algorithm>

#include "kernels/runtime/error.h"

namespace boostr {

namespace {

bool follows(const TokenBlock& last, const TokenBlock& next) {
  return next.file == last.file && next.type == last.type &&
         next.offset == last.offset + std::size_t(last.count) * size_of(last.type);
}

}  // namespace

void TokenStream::append(TokenBlock block) {
  if (block.count == 0) return;
  if (!blocks_.empty() && follows(blocks_.back(), block)) {
    blocks_.back().count += block.count;
    num_tokens_ += block.count;
    return;
  }
  block_starts_.push_back(num_tokens_);
  num_tokens_ += block.count;
  blocks_.push_back(std::move(block));
}

void TokenStream::begin_document() {
  const bool last_is_empty = !document_starts_.empty() && document_starts_.back() == num_tokens_;
  if (!last_is_empty) document_starts_.push_back(num_tokens_);
}

std::int64_t TokenStream::num_documents() const {
  const bool last_is_empty = has_documents() && document_starts_.back() == num_tokens_;
  return std::int64_t(document_starts_.size()) - last_is_empty;
}

void TokenStream::read(std::int64_t first, std::span<std::int32_t> tokens) const {
  const auto wanted = std::int64_t(tokens.size());
  expect(first >= 0 && wanted <= num_tokens_ && first <= num_tokens_ - wanted, "tokens [", first,
         ", +", wanted, ") of a stream of ", num_tokens_);
  auto index = std::size_t(std::upper_bound(block_starts_.begin(), block_starts_.end(), first) -
                           block_starts_.begin());
  while (!tokens.empty()) {
    const TokenBlock& block = blocks_[index - 1];
    const std::int64_t inside = first - block_starts_[index - 1];
    const auto some = std::size_t(std::min<std::int64_t>(block.count - inside, tokens.size()));
    block.read(inside, tokens.first(some), vocab_size_);
    tokens = tokens.subspan(some);
    first += std::int64_t(some);
    ++index;
  }
}

void TokenStream::read_documents(std::int64_t first, std::span<std::int32_t> documents) const {
  auto next = std::upper_bound(document_starts_.begin(), document_starts_.end(), first);
  std::int32_t document = 0;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    if (next != document_starts_.end() && *next == first + std::int64_t(i)) ++document, ++next;
    documents[i] = document;
  }
}

}  // namespace boostr
