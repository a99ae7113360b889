#include "trainer/data/source.h"

#include <algorithm>
#include <limits>

#include "kernels/runtime/error.h"
#include "trainer/data/input_files.h"
#include "trainer/data/text_files.h"
#include "trainer/data/token_files.h"

namespace boostr {
namespace {

/// Bytes of token files per source whose ids are checked when they are opened: about a tenth of a
/// second.
constexpr std::int64_t scanned_at_open = 256 << 20;

void scan(const TokenStream& stream, std::int64_t vocab_size, std::int64_t& budget) {
  for (const TokenBlock& block : stream.blocks()) {
    const std::int64_t bytes = block.count * std::int64_t(size_of(block.type));
    if (bytes > budget) continue;
    budget -= bytes;
    block.check(vocab_size);
  }
}

}  // namespace

Source::Source(const DataSource& recipe, const std::string& key, const Tokenizer& tokenizer,
               const SourceOptions& options)
    : options_(options) {
  constexpr std::int64_t most_ids = std::numeric_limits<std::int32_t>::max();
  expect(options.seq_len >= 1 && options.vocab_size >= 1 && options.vocab_size <= most_ids, key,
         ": seq_len ", options.seq_len, ", vocab_size ", options.vocab_size);
  open(recipe, key, tokenizer);
  count_samples(key);
}

void Source::open(const DataSource& recipe, const std::string& key, const Tokenizer& tokenizer) {
  const int kinds = !recipe.text.empty() + !recipe.jsonl.empty() + !recipe.tokens.empty();
  require(kinds == 1, ExitCode::usage, key, ": exactly one of text, jsonl, tokens is expected, ",
          kinds, " are given");
  if (recipe.tokens.empty()) {
    require(tokenizer.vocab_size() <= options_.vocab_size, ExitCode::usage, key, ": the ",
            tokenizer.name(), " tokenizer has ", tokenizer.vocab_size(),
            " ids, model.vocab_size is ", options_.vocab_size, "; raise it");
  }
  if (!recipe.text.empty()) {
    name_ = "text: " + recipe.text;
    const auto paths = find_input_files(recipe.text, key + ".text");
    num_files_ = std::int64_t(paths.size());
    streams_.push_back(open_text_files(paths, tokenizer, options_.vocab_size));
  } else if (!recipe.jsonl.empty()) {
    name_ = "jsonl: " + recipe.jsonl;
    const auto paths = find_input_files(recipe.jsonl, key + ".jsonl");
    num_files_ = std::int64_t(paths.size());
    streams_.push_back(open_jsonl_files(paths, tokenizer, options_.vocab_size));
  } else {
    name_ = "tokens: " + recipe.tokens;
    std::int64_t budget = scanned_at_open;
    for (const std::string& path : find_input_files(recipe.tokens, key + ".tokens")) {
      streams_.push_back(open_token_file(path, options_.vocab_size));
      require(!options_.packing || streams_.back().has_documents(), ExitCode::data, key,
              ".tokens: '", path,
              "' carries no document boundaries, which data.packing needs; use Megatron's "
              ".bin with .idx, or data.packing=false");
      scan(streams_.back(), options_.vocab_size, budget);
      ++num_files_;
    }
  }
}

void Source::count_samples(const std::string& key) {
  std::int64_t longest = 0;
  sample_starts_.push_back(0);
  for (const TokenStream& stream : streams_) {
    const std::int64_t tokens = stream.num_tokens();
    longest = std::max(longest, tokens);
    const std::int64_t samples = tokens > 0 ? (tokens - 1) / options_.seq_len : 0;
    sample_starts_.push_back(sample_starts_.back() + samples);
  }
  require(num_samples() > 0, ExitCode::data, key, ": '", name_,
          "' is too short: ", streams_.size() > 1 ? "the longest file has " : "it has ", longest,
          " tokens, one sequence of training.seq_len ", options_.seq_len, " takes ",
          options_.seq_len + 1);
}

std::int64_t Source::num_tokens() const {
  std::int64_t total = 0;
  for (const TokenStream& stream : streams_) total += stream.num_tokens();
  return total;
}

std::int64_t Source::num_documents() const {
  std::int64_t total = 0;
  for (const TokenStream& stream : streams_) total += stream.num_documents();
  return total;
}

void Source::read_sample(std::int64_t index, std::span<std::int32_t> tokens,
                         std::span<std::int32_t> documents) const {
  expect(index >= 0 && index < num_samples(), "sample ", index, " of ", num_samples(), " of '",
         name_, "'");
  expect(std::int64_t(tokens.size()) == options_.seq_len + 1, "sample of ", tokens.size(),
         " tokens");
  const auto after = std::upper_bound(sample_starts_.begin(), sample_starts_.end(), index);
  const auto stream = std::size_t(after - sample_starts_.begin()) - 1;
  const std::int64_t first = (index - sample_starts_[stream]) * options_.seq_len;
  streams_[stream].read(first, tokens);
  if (!documents.empty()) streams_[stream].read_documents(first, documents);
}

}  // namespace boostr
