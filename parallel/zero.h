#pragma once

#include <cstdint>
#include <vector>

#include "ops/parameter.h"
#include "parallel/comm/communicator.h"

namespace boostr {

/// The part of a parameter that a rank updates: elements [begin, begin + numel) of its flattened
/// local value.
struct OwnedSlice {
  Parameter parameter;
  std::int64_t begin = 0;
  std::int64_t numel = 0;
};

struct ZeroOptions {
  int stage = 0;  ///< what is divided over the ranks (arXiv 1910.02054); this build has 0: nothing
  std::int64_t bucket_bytes = 25 << 20;  ///< gradients are reduced in pieces of about this size
};

/// Data parallelism by ownership: holds the gradients of all parameters in buckets, reduces them
/// over the group as the last backward delivers them, and says which slices this rank's optimizer
/// updates. Gradients are summed: the loss must be scaled by 1 / global number of targets. A group
/// of one does nothing.
///
///     zero.expect_last_microbatch();   // before the last backward of a step: buckets leave as
///     they fill backward(...); zero.reduce_gradients();         // waits for all of them optimizer
///     over owned() ... zero.gather_parameters();
class Zero {
 public:
  /// Lays the gradients of `parameters` (in order of use) into buckets in memory that the group
  /// reduces without copies. Collective. `group` must outlive it.
  Zero(std::vector<Parameter> parameters, Communicator& group, const ZeroOptions& options);
  Zero(const Zero&) = delete;
  Zero& operator=(const Zero&) = delete;
  ~Zero();

  /// The next backward delivers the last gradients of this step: each bucket's reduction starts
  /// when it is full.
  void expect_last_microbatch();
  /// Every gradient is the sum over the ranks when this returns; a parameter that got none counts
  /// as zero.
  void reduce_gradients();
  /// What this rank updates.
  const std::vector<OwnedSlice>& owned() const { return owned_; }
  /// Brings updated parameters to the ranks that do not own them.
  void gather_parameters();

 private:
  struct Bucket {
    std::vector<Parameter> parameters;
    Out memory;
    std::size_t missing = 0;  ///< gradients of this step that have not arrived
    Work work;
  };

  void make_buckets(std::int64_t bucket_bytes);
  void allocate(Bucket& bucket);
  void on_grad(std::size_t bucket);
  void start_full_buckets();

  std::vector<Parameter> parameters_;
  Communicator& group_;
  std::vector<Bucket> buckets_;
  std::vector<OwnedSlice> owned_;
  bool last_microbatch_ = false;
  std::size_t next_bucket_ = 0;  ///< buckets are reduced in the same order on every rank
};

}  // namespace boostr
