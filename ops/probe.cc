#include "ops/probe.h"

#include <algorithm>
#include <chrono>

#include "kernels/kernel_table.h"

namespace boostr {
namespace {

using Clock = std::chrono::steady_clock;

struct Measurement {
  double flops = 0;
  double seconds = 0;
};

Measurement measure(DType dtype, std::int64_t rounds, Device device) {
  const auto begin = Clock::now();
  const double flops = kernels(device).peak_probe(current_stream(device), dtype, rounds);
  return {flops, std::chrono::duration<double>(Clock::now() - begin).count()};
}

}  // namespace

double measured_peak_flops(DType dtype, double seconds, Device device) {
  constexpr int runs = 5;
  // Doubles the length until a run is long enough for the clock and for a processor to wake up.
  std::int64_t rounds = 1;
  Measurement last = measure(dtype, rounds, device);
  while (last.seconds < seconds / runs) last = measure(dtype, rounds *= 2, device);
  double best = last.flops / last.seconds;
  for (int run = 1; run < runs; ++run) {
    last = measure(dtype, rounds, device);
    best = std::max(best, last.flops / last.seconds);
  }
  return best;
}

}  // namespace boostr
