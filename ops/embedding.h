#pragma once

#include <cstdint>

#include "ops/tensor.h"

namespace boostr {

/// y[..., :] = table[ids[...] - first_row, :], zero where that row is not in the table, so that
/// vocabulary shards add up: table [rows, hidden], ids i32 [...], y [..., hidden].
Tensor embedding(const Tensor& table, const Tensor& ids, std::int64_t first_row = 0);

}  // namespace boostr
