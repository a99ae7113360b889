#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "trainer/checkpoint/checkpoint.h"

namespace boostr {

/// What is wrong with the region (extents, offsets beyond the tensor, sizes that overflow), or ""
/// if nothing is.
std::string region_fault(const TensorRegion& region);

/// Calls `copy(a_begin, b_begin, count)` for every run of elements that both regions of one tensor
/// hold: `count` elements from a's element a_begin on (in a's own row-major order) are b's from
/// b_begin on. Runs are as long as both orders allow.
void for_each_overlap(const TensorRegion& a, const TensorRegion& b,
                      const std::function<void(std::int64_t, std::int64_t, std::int64_t)>& copy);

/// Whether two regions of one tensor share an element.
bool overlap(const TensorRegion& a, const TensorRegion& b);

/// This rank's part of tensors that `count` ranks hold alike, so that the ranks together write
/// every element once and each about 1/count of the bytes. The tensors are laid end to end and cut
/// in `count` equal lengths; a tensor that is cut becomes slices of the flattened tensor (a block
/// that is itself only a part is cut between rows). Cuts keep 4 KiB distance from a tensor's ends.
/// `index` is this rank's place among the ranks that hold the same tensors.
std::vector<CheckpointTensor> deal_out(const std::vector<CheckpointTensor>& tensors, int index,
                                       int count);

}  // namespace boostr
