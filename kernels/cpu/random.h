#pragma once

#include "kernels/kernel_table.h"

namespace boostr::cpu {

/// Shared by all instruction-set levels: compiled once, without fused multiply-adds, so that every
/// machine initialises a model to the same bits.
RandomNormalFn random_normal;
RandomUniformFn random_uniform;

}  // namespace boostr::cpu
