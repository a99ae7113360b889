#include "trainer/data/batch_loader.h"

#include <utility>

#include "kernels/runtime/error.h"

namespace boostr {

BatchLoader::BatchLoader(const Dataset& dataset, DataCursor start, const RankSlice& slice)
    : dataset_(dataset), slice_(slice), cursor_(std::move(start)) {
  require(slice.ranks >= 1 && slice.global_batch >= 1 && slice.global_batch % slice.ranks == 0,
          ExitCode::usage, "training.global_batch_size ", slice.global_batch,
          " cannot be split over ", slice.ranks, " data-parallel ranks; choose a multiple of ",
          slice.ranks);
  prefetch();
}

void BatchLoader::prefetch() {
  pending_ = std::async(std::launch::async, [this, order = SampleOrder(cursor_)]() mutable {
    const auto ids = order.next(slice_.global_batch);
    const auto own =
        std::span(ids).subspan(std::size_t(slice_.first()), std::size_t(slice_.count()));
    return Prefetched{dataset_.read(own), order.cursor()};
  });
}

Batch BatchLoader::next() {
  // After a failed read the future is spent: try again.
  if (!pending_.valid()) prefetch();
  Prefetched ready = pending_.get();
  cursor_ = std::move(ready.after);
  prefetch();
  return std::move(ready.batch);
}

}  // namespace boostr
