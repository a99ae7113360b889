#pragma once

#include <cstdint>
#include <vector>

#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/hdf5_memory_file.h"

namespace boostr {

/// Where everything in one shard's HDF5 file stands.
struct ShardLayout {
  std::vector<std::int64_t>
      offsets;             ///< of each tensor's contiguous bytes in the file, in the order given
  std::int64_t bytes = 0;  ///< of the file
  MemoryFile metadata;     ///< every byte of the file that is not a tensor's
};

/// Lets the HDF5 library lay out a shard: the groups parameters, optimizer/exp_avg and
/// optimizer/exp_avg_sq (and whichever else the tensors name), in them one contiguous little-endian
/// dataset per tensor with the attributes `global_shape` and `offset`. In the library's default
/// (oldest) file format, which every version reads. Touches neither disk nor tensors' data.
ShardLayout lay_out_shard(const std::vector<CheckpointTensor>& tensors);

}  // namespace boostr
