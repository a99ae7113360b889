#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "trainer/data/batch.h"
#include "trainer/data/permutation.h"
#include "trainer/data/sample_order.h"
#include "trainer/data/source.h"
#include "trainer/recipe.h"
#include "trainer/tokenizer.h"

namespace boostr {

struct DatasetOptions {
  std::int64_t vocab_size = 0;  ///< model.vocab_size
  std::int64_t seq_len = 0;     ///< training.seq_len
};

/// What the start of a run reports of one source.
struct SourceReport {
  std::string name;
  bool is_validation = false;  ///< listed under data.validation
  std::int64_t files = 0;
  std::int64_t documents = 0;  ///< 0: unknown
  std::int64_t tokens = 0;
  std::int64_t training_samples = 0;
  std::int64_t validation_samples = 0;
};

/// All data of a run, opened once and constant from then on; any thread may read. Every rank opens
/// all of it and reads its own part. It holds no position: that is a SampleOrder.
class Dataset {
 public:
  /// Opens the sources of `section`. `validation_fraction` > 0 takes that part of each training
  /// source's samples, at least one, from its end. Throws Error(data) as Source does, and if a
  /// source has too few samples to split; Error(usage) if `section` contradicts itself.
  Dataset(const DataSection& section, const Tokenizer& tokenizer, const DatasetOptions& options);

  std::int64_t seq_len() const { return options_.seq_len; }
  std::vector<SourceReport> report() const;
  /// The training sources as a SampleOrder needs them.
  std::vector<SourceShare> shares() const;

  /// The samples `ids`, one row each.
  Batch read(std::span<const SampleId> ids) const;

  /// 0: there is nothing to validate on.
  std::int64_t num_validation_samples() const { return validation_starts_.back(); }
  /// Global batches that hold every validation sample once.
  std::int64_t num_validation_batches(std::int64_t global_batch) const;
  /// This rank's part of global validation batch `index`. All validation samples, whatever their
  /// source's weight, in one fixed pseudo-random order that depends on nothing but their number:
  /// the first few batches are a fair sample, the same for every seed and number of ranks. Rows
  /// past the last sample hold zeros and only ignored targets.
  Batch validation_batch(std::int64_t index, const RankSlice& slice) const;

  /// -sum p ln p over the token frequencies p of the training samples, sources mixed by their
  /// weights, in nats per token: the loss of a model that knows the frequencies and nothing else.
  /// Counts the first `most` tokens of each source.
  double unigram_entropy(std::int64_t most = std::int64_t{16} << 20) const;

 private:
  struct Part {
    std::int32_t source;
    std::int64_t first;  ///< its first validation sample
  };

  void split_off_validation(double fraction);
  void add_validation(std::size_t source, std::int64_t first);
  void read_row(const SampleId& id, std::int64_t row, Batch& batch,
                std::vector<std::int32_t>& tokens) const;
  std::vector<double> frequencies(std::size_t source, std::int64_t most) const;

  DatasetOptions options_;
  bool packing_;
  std::vector<Source> sources_;  ///< training sources first
  std::vector<double> weights_;  ///< of the training sources
  std::vector<std::int64_t> training_samples_;
  std::vector<Part> validation_parts_;
  std::vector<std::int64_t> validation_starts_ = {
      0};  ///< samples before each part, and after the last
};

}  // namespace boostr
