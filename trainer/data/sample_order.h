#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "trainer/data/data_cursor.h"

namespace boostr {

/// One sample of one source.
struct SampleId {
  std::int32_t source = 0;
  std::int64_t sample = 0;
  friend bool operator==(const SampleId&, const SampleId&) = default;
};

/// What the order needs to know of a source.
struct SourceShare {
  std::string name;
  double weight = 1;
  std::int64_t samples = 0;  ///< training samples of one epoch, at least 1
};

/// A saved cursor made to fit the recipe as it is now.
struct ResumedCursor {
  DataCursor cursor;
  /// One sentence per difference from the saved run (weights, sources, amount of data, seed); empty
  /// if there is none, and then the stream continues exactly.
  std::vector<std::string> changes;
};

/// The one stream of global samples that a run trains on. The mixture decides which source sample g
/// comes from, a permutation keyed by (seed, source, epoch) which of its samples. Neither knows of
/// ranks, steps or batches.
class SampleOrder {
 public:
  /// Continues from `cursor`; throws Error(usage) unless there is a positive weight.
  explicit SampleOrder(DataCursor cursor);

  /// The next global sample; advances the cursor.
  SampleId next();
  /// The next `count` global samples.
  std::vector<SampleId> next(std::int64_t count);
  const DataCursor& cursor() const { return cursor_; }

 private:
  DataCursor cursor_;
  std::vector<double> shares_;
  std::vector<std::int64_t> drawn_;  ///< per source, since the present weights came into force
};

/// The start of the stream.
DataCursor start_cursor(const std::vector<SourceShare>& sources, std::uint64_t seed);

/// Continues `saved` with the sources, weights and seed of now. Changed weights count from here on:
/// what was drawn before is not made up for. A source whose amount of data, seed or place in the
/// list has changed starts a new permutation; one that is new starts at its beginning.
ResumedCursor resume_cursor(const DataCursor& saved, const std::vector<SourceShare>& sources,
                            std::uint64_t seed);

}  // namespace boostr
