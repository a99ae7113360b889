#pragma once

#include <cstdint>
#include <string>

#include "ops/tensor.h"

namespace boostr {

/// `numel` zeros in a file in `folder` that is mapped into memory: the system keeps in memory what
/// it has room for. The file has no name, so it is gone with the tensor or the process; its space
/// on the disk is reserved at once. Error(usage) if no file can be made there, Error(memory) if it
/// has no room.
Tensor mapped_zeros(const std::string& folder, std::int64_t numel, DType dtype);

/// Takes such a tensor out of this process's memory until it is next read or written; what it holds
/// stays.
void let_go(const Tensor& mapped);

}  // namespace boostr
