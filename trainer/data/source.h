#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "trainer/data/token_stream.h"
#include "trainer/recipe.h"
#include "trainer/tokenizer.h"

namespace boostr {

/// How every source of a run is read.
struct SourceOptions {
  std::int64_t vocab_size = 0;  ///< of the model; every id read is checked against it
  std::int64_t seq_len = 0;
  bool packing = false;  ///< document boundaries are needed
};

/// One source of the recipe, cut into samples.
///
/// A stream of n tokens has floor((n - 1) / seq_len) samples: sample i is the inputs [i * seq_len,
/// (i + 1) * seq_len) and the token after each. All documents of a text or jsonl source make one
/// stream; every file of a tokens source is a stream of its own, and its samples follow those of
/// the file before.
class Source {
 public:
  /// Opens the files that `recipe` names; `key` is where it stands in the recipe, e.g.
  /// "data.train[0]". Throws Error(data) if there is nothing to read, a file is damaged, or no
  /// stream has a whole sample; with packing also if a file carries no document boundaries. Token
  /// files are scanned for ids outside the vocabulary, 256 MiB of a source here, the rest when it
  /// is read.
  Source(const DataSource& recipe, const std::string& key, const Tokenizer& tokenizer,
         const SourceOptions& options);

  /// Kind and pattern, e.g. "text: /usr/share/perl/*/pod/*.pod".
  const std::string& name() const { return name_; }
  std::int64_t num_files() const { return num_files_; }
  std::int64_t num_tokens() const;
  /// 0 where the files carry no document boundaries.
  std::int64_t num_documents() const;
  std::int64_t num_samples() const { return sample_starts_.back(); }

  /// The seq_len + 1 tokens of sample `index` and, unless `documents` is empty, the document of
  /// each, ascending from 0. Thread-safe. Throws Error(data) for an id outside the vocabulary and
  /// for a file cut short meanwhile.
  void read_sample(std::int64_t index, std::span<std::int32_t> tokens,
                   std::span<std::int32_t> documents) const;

 private:
  void open(const DataSource& recipe, const std::string& key, const Tokenizer& tokenizer);
  void count_samples(const std::string& key);

  SourceOptions options_;
  std::string name_;
  std::int64_t num_files_ = 0;
  std::vector<TokenStream> streams_;
  std::vector<std::int64_t> sample_starts_;  ///< samples before each stream, and after the last
};

}  // namespace boostr
