#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/runtime/dtype.h"
#include "parallel/comm/communicator.h"

namespace boostr {

/// outputs[...][i] = inputs[0][i] op inputs[1][i] op ..., added in this order, for i < count. bf16
/// and f16 accumulate in f32 and are rounded once; integers wrap around. An output may be one of
/// the inputs.
void reduce_in_order(std::span<std::byte* const> outputs, std::span<const std::byte* const> inputs,
                     DType dtype, std::int64_t count, ReduceOp op);

}  // namespace boostr
