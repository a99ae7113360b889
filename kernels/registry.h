#pragma once

#include "kernels/kernel_table.h"

namespace boostr {

/// From now on kernels(device) returns `table` to the calling thread; `table` stays alive until
/// another is set. For measuring, which puts functions of its own before the kernels.
void set_kernels(const KernelTable& table, Device device);

}  // namespace boostr
