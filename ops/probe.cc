#include "ops/probe.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/runtime/host_memory.h"

namespace boostr {
namespace {

using Clock = std::chrono::steady_clock;

struct Measurement {
  double flops = 0;
  double seconds = 0;
};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

Measurement measure(DType dtype, std::int64_t rounds, Device device) {
  const auto begin = Clock::now();
  const double flops = kernels(device).peak_probe(current_stream(device), dtype, rounds);
  return {flops, seconds_since(begin)};
}

/// Bytes of the last-level cache, or what it has at least where the system does not say.
std::int64_t last_cache_bytes() {
  constexpr std::int64_t least = 32 << 20;
#if defined(_SC_LEVEL3_CACHE_SIZE)
  return std::max<std::int64_t>(least, sysconf(_SC_LEVEL3_CACHE_SIZE));
#else
  return least;
#endif
}

}  // namespace

double measured_peak_flops(DType dtype, double seconds, Device device) {
  constexpr int runs = 5;
  const auto begin = Clock::now();
  // Doubles the length until a run is long enough for the clock. What is measured meanwhile does
  // not count: a processor sleeps at first, and then runs faster than it can for long.
  std::int64_t rounds = 1;
  while (seconds_since(begin) < seconds)
    if (measure(dtype, rounds, device).seconds < seconds / runs) rounds *= 2;
  double best = 0;
  for (int run = 0; run < runs; ++run) {
    const Measurement now = measure(dtype, rounds, device);
    best = std::max(best, now.flops / now.seconds);
  }
  return best;
}

double measured_bandwidth(Device device) {
  constexpr int runs = 5;
  const std::size_t bytes =
      std::min(2 * std::size_t(last_cache_bytes()), host_memory().available / 4);
  const auto numel = static_cast<std::int64_t>(bytes / sizeof(float));
  const Buffer from = Buffer::dedicated(std::size_t(numel) * sizeof(float), device);
  const Buffer to = Buffer::dedicated(from.size(), device);
  const Out source{from.data(), DType::f32, {numel}}, target{to.data(), DType::f32, {numel}};
  Stream& stream = current_stream(device);
  kernels(device).fill(stream, source, 1.0);  // the system gives pages when they are written
  kernels(device).fill(stream, target, 0.0);
  double best = 0;
  for (int run = 0; run < runs; ++run) {
    const auto begin = Clock::now();
    kernels(device).cast(stream, target, source);
    best = std::max(best, double(source.bytes() + target.bytes()) / seconds_since(begin));
  }
  return best;
}

}  // namespace boostr
