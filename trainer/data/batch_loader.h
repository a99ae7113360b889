#pragma once

#include <future>

#include "trainer/data/batch.h"
#include "trainer/data/data_cursor.h"
#include "trainer/data/dataset.h"
#include "trainer/data/sample_order.h"

namespace boostr {

/// One rank's training batches: global batch k holds samples [k * G, (k + 1) * G) of the stream, of
/// which the rank reads its slice. The next batch is read in the background while the present one
/// is trained on.
class BatchLoader {
 public:
  /// Continues at `start`. `dataset` must outlive the loader. Throws Error(usage) if the global
  /// batch cannot be split.
  BatchLoader(const Dataset& dataset, DataCursor start, const RankSlice& slice);
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;

  /// This rank's rows of the next global batch. Throws Error(data) if they cannot be read; then the
  /// cursor stays.
  Batch next();

  /// The stream's position after the last batch that next() returned: what a checkpoint saves. The
  /// same on all ranks.
  const DataCursor& cursor() const { return cursor_; }

 private:
  struct Prefetched {
    Batch batch;
    DataCursor after;
  };
  void prefetch();

  const Dataset& dataset_;
  RankSlice slice_;
  DataCursor cursor_;
  std::future<Prefetched> pending_;  ///< its destructor waits for the read in flight
};

}  // namespace boostr
