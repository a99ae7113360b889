#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "parallel/zero/chunk_sums.h"
#include "parallel/zero/gradients.h"
#include "parallel/zero/parameters.h"

namespace boostr {

/// The part of a parameter that a rank updates: elements [begin, begin + numel) of its flattened
/// local value.
struct OwnedSlice {
  Parameter parameter;
  std::size_t index = 0;  ///< of the parameter among ModelShare::all
  std::int64_t begin = 0;
  std::int64_t numel = 0;
  Tensor value;  ///< those elements, flat, in the parameter's type
  Tensor grad;   ///< the gradient's, in the accumulator type; valid after reduce_gradients()
};

struct ZeroOptions {
  /// What is divided over the ranks (arXiv 1910.02054): 1 optimizer, 2 and gradients, 3 and
  /// parameters.
  int stage = 0;
  std::int64_t bucket_bytes = 25 << 20;  ///< gradients are reduced in pieces of about this size
};

/// Data parallelism by ownership: lays parameters and gradients into buckets, reduces gradients
/// over the ranks as the backward delivers them, and says which slices this rank's optimizer
/// updates. Gradients are summed: the loss must be scaled by 1 / global number of targets. A group
/// of one does nothing. At stages 2 and 3 gradients and parameters move while they are used, so that
/// every rank must use the same ones in the same order.
///
///     for each microbatch and chunk: zero.expect_backward(chunk, is_last); backward(...);
///     zero.reduce_gradients();      // waits for what is in flight
///     optimizer over owned() ...
///     zero.gather_parameters();
class Zero {
 public:
  /// Lays out the chunks of `share`. Their parameters' values are undefined afterwards, until
  /// owned() was written and gathered. The ranks of `groups` hold the same share, those of
  /// `model_group` different ones, or different parts or copies of the parameters. Collective. The
  /// groups must outlive it, and it the graphs that use the parameters.
  Zero(const ModelShare& share, const DataParallelGroups& groups, Communicator& model_group,
       const ZeroOptions& options);
  Zero(const Zero&) = delete;
  Zero& operator=(const Zero&) = delete;

  /// The backward that comes next delivers gradients of `chunk`, the last of this step if `last`.
  /// The one before is over.
  void expect_backward(std::size_t chunk, bool last) { gradients_->expect_backward(chunk, last); }
  /// The gradients of owned() are the sums over ranks and microbatches when this returns; a
  /// parameter that got none counts as zero. The last backward of every chunk is over.
  void reduce_gradients();
  /// What this rank updates.
  const std::vector<OwnedSlice>& owned() const { return owned_; }
  /// Which of the ranks that own the same slices this one is.
  struct Owners {
    int index = 0;
    int count = 1;
  };
  const Owners& owners() const { return owners_; }
  /// For sums over parameters of what ranks have of the chunks of owned().
  const ChunkSums& sums() const { return sums_; }
  /// Brings updated values to the ranks that do not own them.
  void gather_parameters() { values_->gather(); }

 private:
  std::vector<FlatLayout> layouts_;
  ChunkSums sums_;
  std::unique_ptr<ParameterValues> values_;
  std::unique_ptr<Gradients> gradients_;
  std::vector<OwnedSlice> owned_;
  Owners owners_;
};

}  // namespace boostr
