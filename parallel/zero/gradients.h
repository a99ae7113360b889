#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "parallel/comm/communicator.h"
#include "parallel/zero/flat_layout.h"

namespace boostr {

/// The two axes of data parallelism: ZeRO divides over `shard`; the ranks of `replicate` hold the
/// same pieces. Gradients are summed over the first, then over the second.
struct DataParallelGroups {
  Communicator& shard;
  Communicator& replicate;
};

/// Where the gradients of buckets lie, and how they are summed over the ranks.
class Gradients {
 public:
  virtual ~Gradients() = default;
  /// The backward that comes next delivers gradients of `chunk`, the last of this step if `last`.
  virtual void expect_backward(std::size_t chunk, bool last) = 0;
  /// Every owned gradient is the sum over ranks and microbatches when this returns; a parameter
  /// that got none counts as zero.
  virtual void finish() = 0;
  /// This rank's piece of a bucket, flat, in the accumulator type; always in the same place.
  virtual const Tensor& owned(std::size_t bucket) const = 0;
};

/// Counts what the backward of a chunk delivers to each of its buckets, and calls `start` for full
/// ones, from the last to the first: the order in which a backward fills them, and the same on every
/// rank whatever arrives there. What is in flight in `group` moves on with every gradient.
class BucketArrivals {
 public:
  BucketArrivals(const std::vector<FlatLayout>& layouts, Communicator& group,
                 std::function<void(std::size_t)> start);
  BucketArrivals(const BucketArrivals&) = delete;
  BucketArrivals& operator=(const BucketArrivals&) = delete;
  ~BucketArrivals();

  /// From now on gradients of the chunk count.
  void expect(std::size_t chunk);
  bool expecting() const { return expecting_; }
  /// Starts the chunk's buckets that are not full, missing gradients as zeros, and stops counting.
  void complete();

 private:
  void arrived(std::size_t bucket);
  void start_full_buckets();

  const std::vector<FlatLayout>& layouts_;
  Communicator& group_;
  std::function<void(std::size_t)> start_;
  std::vector<std::size_t> missing_;
  std::size_t first_ = 0;        ///< bucket of the chunk
  std::size_t not_started_ = 0;  ///< buckets [first_, not_started_) are still to come
  bool expecting_ = false;
};

/// Stages 0 and 1: all gradients are kept until the step, in memory that the group reduces without
/// copies. Layouts of one piece are summed on every rank; of one piece a rank, each rank gets its
/// own.
std::unique_ptr<Gradients> whole_gradients(const std::vector<FlatLayout>& layouts,
                                           const DataParallelGroups& groups);

/// Stages 2 and 3: a bucket has memory from its first gradient of a backward until it is reduced,
/// and the reduced pieces of the microbatches are added up where they are owned.
std::unique_ptr<Gradients> scattered_gradients(const std::vector<FlatLayout>& layouts,
                                               const DataParallelGroups& groups);

}  // namespace boostr
