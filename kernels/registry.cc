#include <vector>

#include "kernels/cpu/table.h"

namespace boostr {
namespace {

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
#endif
#if defined(BOOSTR_HAS_avx512_bf16)
  if (avx512 && __builtin_cpu_supports("avx512bf16")) levels.push_back(&cpu::avx512_bf16::table());
#endif
#if defined(BOOSTR_HAS_avx512)
  if (avx512) levels.push_back(&cpu::avx512::table());
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

}  // namespace

std::span<const KernelTable* const> runnable_levels(Device /*device*/) {
  static const std::vector<const KernelTable*> levels = detect_levels();
  return levels;
}

const KernelTable& kernels(Device device) { return *runnable_levels(device).front(); }

Stream& current_stream(Device device) {
  thread_local Stream stream(device);
  return stream;
}

void set_num_threads(int num_threads, Device device) {
  current_stream(device) = Stream(device, num_threads);
}

}  // namespace boostr
