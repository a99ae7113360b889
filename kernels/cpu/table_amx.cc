#include "kernels/cpu/kernels.h"
#include "kernels/cpu/level_name.h"

// The table of a level with a tile unit: the kernels that multiply on it (gemm_amx.h), and all others
// of level BOOSTR_AMX, for which the compiler would make the same code once more.
namespace boostr::cpu::BOOSTR_AMX {
const KernelTable& table();
}

namespace boostr::cpu::BOOSTR_ISA {

const KernelTable& table() {
  static const KernelTable rows = [] {
    KernelTable rows = BOOSTR_AMX::table();
    rows.level = level_name;
    rows.gemm = gemm;
    rows.peak_probe = peak_probe;
    return rows;
  }();
  return rows;
}

}  // namespace boostr::cpu::BOOSTR_ISA
