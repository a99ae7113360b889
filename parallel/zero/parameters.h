#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "parallel/comm/communicator.h"
#include "parallel/zero/flat_layout.h"

namespace boostr {

/// Where the values of buckets lie.
class ParameterValues {
 public:
  virtual ~ParameterValues() = default;
  /// This rank's piece of a bucket, flat; always in the same place.
  virtual const Tensor& owned(std::size_t bucket) const = 0;
  /// The owned pieces are about to be written: nothing may be reading them any more.
  virtual void release() = 0;
  /// Makes what the ranks wrote to their pieces the parameters' values on every rank.
  virtual void gather() = 0;
};

/// Stages 0 to 2: every rank holds all values.
std::unique_ptr<ParameterValues> whole_parameters(const std::vector<FlatLayout>& layouts,
                                                  Communicator& group);

/// Stage 3: a rank holds its pieces, and a bucket's values from their first use until two other
/// buckets were used; the bucket that comes next, in the direction in which they are used, is
/// gathered ahead. Graphs that use the parameters must be gone before it is.
std::unique_ptr<ParameterValues> sharded_parameters(const std::vector<FlatLayout>& layouts,
                                                    Communicator& group);

}  // namespace boostr
