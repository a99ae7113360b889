#pragma once

#include <string>

#include "kernels/kernel_table.h"  // set_num_threads

namespace boostr {

/// The instruction-set level whose kernels run on `device`: "avx2", "avx512", "avx512_bf16",
/// "neon".
std::string instruction_set(Device device = cpu_device);
/// How many threads the calling host thread's kernels run on; see set_num_threads.
int num_threads(Device device = cpu_device);

}  // namespace boostr
