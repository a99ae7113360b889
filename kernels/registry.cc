#include "kernels/registry.h"

#include <vector>

#include "kernels/cpu/table.h"

#if defined(BOOSTR_HAS_avx512_amx)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace boostr {
namespace {

#if defined(BOOSTR_HAS_avx512_amx)
/// Whether this process may use AMX's tiles: the kernel must be asked, because they enlarge every
/// thread's saved state (Linux, Documentation/arch/x86/xstate.rst).
bool may_use_amx() {
  if (!__builtin_cpu_supports("amx-tile") || !__builtin_cpu_supports("amx-bf16")) return false;
  constexpr long request_permission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long tile_data = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}
#endif

/// Best first. A level is listed if this build contains it and this processor supports all it was
/// compiled for.
std::vector<const KernelTable*> detect_levels() {
  std::vector<const KernelTable*> levels;
#if defined(__x86_64__)
  __builtin_cpu_init();
  [[maybe_unused]] const bool avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  [[maybe_unused]] const bool avx512 =
      avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  [[maybe_unused]] const bool bf16 = avx512 && __builtin_cpu_supports("avx512bf16");
  // Where Intel multiplies pairs of bf16 it does so at less than half of f32's rate (measured on
  // Sapphire Rapids: 62 against 133 GFLOP/s); AMD's do twice as many.
  [[maybe_unused]] const bool slow_bf16 = __builtin_cpu_is("intel");
#endif
#if defined(BOOSTR_HAS_avx512_amx)
  if (bf16 && may_use_amx()) levels.push_back(&cpu::avx512_amx::table());
#endif
#if defined(BOOSTR_HAS_avx512_bf16)
  if (bf16 && !slow_bf16) levels.push_back(&cpu::avx512_bf16::table());
#endif
#if defined(BOOSTR_HAS_avx512)
  if (avx512) levels.push_back(&cpu::avx512::table());
#endif
#if defined(BOOSTR_HAS_avx512_bf16)
  if (bf16 && slow_bf16) levels.push_back(&cpu::avx512_bf16::table());
#endif
#if defined(BOOSTR_HAS_avx2)
  if (avx2) levels.push_back(&cpu::avx2::table());
#endif
#if defined(BOOSTR_HAS_neon)
  levels.push_back(&cpu::neon::table());
#endif
  require(!levels.empty(), ExitCode::usage, "this build's kernels (", BOOSTR_CPU_LEVELS,
          ") need instructions that this processor lacks; x86-64 needs at least AVX2 and FMA");
  return levels;
}

/// What kernels() returns to the calling thread.
const KernelTable*& table_of_this_thread() {
  thread_local const KernelTable* table = runnable_levels(cpu_device).front();
  return table;
}

}  // namespace

std::span<const KernelTable* const> runnable_levels(Device /*device*/) {
  static const std::vector<const KernelTable*> levels = detect_levels();
  return levels;
}

const KernelTable& kernels(Device /*device*/) { return *table_of_this_thread(); }

void set_kernels(const KernelTable& table, Device /*device*/) { table_of_this_thread() = &table; }

Stream& current_stream(Device device) {
  thread_local Stream stream(device);
  return stream;
}

void set_num_threads(int num_threads, Device device) {
  current_stream(device) = Stream(device, num_threads);
}

}  // namespace boostr
