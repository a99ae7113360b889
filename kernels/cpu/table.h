#pragma once

#include "kernels/kernel_table.h"

/// The CPU kernel table of each instruction-set level that this build contains.
namespace boostr::cpu {

#if defined(__x86_64__)
namespace avx2 {
const KernelTable& table();
}
namespace avx512 {
const KernelTable& table();
}
namespace avx512_bf16 {
const KernelTable& table();
}
namespace avx512_amx {
const KernelTable& table();
}
#else
namespace neon {
const KernelTable& table();
}
#endif

}  // namespace boostr::cpu
