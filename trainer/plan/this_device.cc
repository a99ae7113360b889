#include "trainer/plan/this_device.h"

#include <unistd.h>

#include <algorithm>
#include <thread>

#include "kernels/runtime/error.h"
#include "ops/execution.h"
#include "ops/probe.h"

namespace boostr {
namespace {

int num_cores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

double memory_of_this_host() {
  return static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
}

}  // namespace

HostShare share_of_this_host(int ranks, int threads) {
  const int cores = num_cores();
  HostShare share;
  share.ranks = ranks <= 4 * cores ? ranks : cores;
  share.threads = threads > 0 ? threads : std::max(1, cores / share.ranks);
  return share;
}

DeviceModel this_device(const HostShare& share, DType compute) {
  DeviceModel device;
  device.name = "this";
  device.source = text("peaks measured now, ", share.ranks, " of ", share.threads,
                       " threads; the rest assumed: see --calibrate");
  device.memory_bytes = memory_of_this_host() / share.ranks;
  device.is_host = true;
  device.ranks_per_host = share.ranks;
  // A thread of its own, whose number of threads nobody else sees.
  std::thread([&] {
    set_num_threads(share.threads);
    for (const DType dtype : {compute, accumulator_of(compute)})
      device.flops[dtype] = measured_peak_flops(dtype, 0.05);
    device.bandwidth = measured_bandwidth();
  }).join();
  const double of_a_core = std::min(1.0, double(num_cores()) / double(share.ranks * share.threads));
  for (auto& [dtype, flops] : device.flops) flops *= of_a_core;
  device.bandwidth /= share.ranks;
  device.product_efficiency = 0.8;
  device.attention_efficiency = 0.5;
  device.memory_efficiency = 0.8;
  device.kernel_seconds = 1e-6;
  device.host_seconds = 1e-6 / of_a_core;
  device.inside = {device.bandwidth / 4, 5e-6 / of_a_core};
  device.between = {1e9, 50e-6};
  return device;
}

}  // namespace boostr
