#include "trainer/plan/this_device.h"

#include <algorithm>
#include <filesystem>
#include <future>
#include <system_error>
#include <thread>

#include "kernels/runtime/error.h"
#include "kernels/runtime/host_memory.h"
#include "ops/execution.h"
#include "ops/probe.h"
#include "trainer/data/input_files.h"

namespace boostr {
namespace {

int num_cores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

/// Of the files that a pattern names, each counted once; 0 where there are none.
double file_bytes(const std::string& pattern) {
  if (pattern.empty()) return 0;
  double bytes = 0;
  try {
    for (const std::string& path : find_input_files(pattern, "")) {
      std::error_code failed;
      const auto size = std::filesystem::file_size(path, failed);
      if (!failed) bytes += static_cast<double>(size);
    }
  } catch (const Error& error) {
    if (error.code() != ExitCode::data) throw;
  }
  return bytes;
}

}  // namespace

double process_bytes(const Plan& plan) {
  // Measured: what libraries allocate, what MPI adds to that, and HDF5 at the first checkpoint. Of
  // the memory that ranks of a host meet in most is for copies, which they need not where they may
  // read each other's memory.
  constexpr double libraries = 7 << 20, mpi = 6 << 20, hdf5 = 4.6 * (1 << 20), untouched = 0.8;
  const auto program = static_cast<double>(resident_memory().shared);
  double bytes = plan.most_bytes + program + libraries;
  if (plan.ranks > 1) bytes += mpi;
  if (plan.recipe.checkpoint.interval > 0) bytes += hdf5;
  bytes -= untouched * plan.bytes[static_cast<std::size_t>(MemoryUse::communication)];
  const DataSection& data = plan.recipe.data;
  for (const std::vector<DataSource>* sources : {&data.train, &data.validation})
    for (const DataSource& source : *sources)
      bytes += file_bytes(source.text) + file_bytes(source.jsonl) + file_bytes(source.tokens);
  return bytes;
}

HostShare share_of_this_host(int ranks, int threads) {
  const int cores = num_cores();
  HostShare share;
  share.ranks = ranks <= 4 * cores ? ranks : cores;
  share.threads = threads > 0 ? threads : std::max(1, cores / share.ranks);
  return share;
}

DeviceModel host_model(const HostShare& share) {
  DeviceModel device;
  device.name = "this";
  device.memory_bytes = static_cast<double>(host_memory().total) / share.ranks;
  device.is_host = true;
  device.ranks_per_host = share.ranks;
  device.between = {1e9, 50e-6};
  return device;
}

DeviceModel this_device(const HostShare& share, DType compute) {
  DeviceModel device = host_model(share);
  device.source = text("peaks measured now, ", share.ranks, " of ", share.threads,
                       " threads; the rest assumed: see --calibrate");
  // A thread of its own, whose number of threads nobody else sees.
  std::async(std::launch::async, [&] {
    set_num_threads(share.threads);
    for (const DType dtype : {compute, accumulator_of(compute)})
      device.flops[dtype] = measured_peak_flops(dtype, 0.05);
    device.bandwidth = measured_bandwidth();
  }).get();
  const double of_a_core = std::min(1.0, double(num_cores()) / double(share.ranks * share.threads));
  for (auto& [dtype, flops] : device.flops) flops *= of_a_core;
  device.bandwidth /= share.ranks;
  device.product_efficiency = 0.8;
  device.attention_efficiency = 0.5;
  device.memory_efficiency = 0.8;
  device.kernel_seconds = 1e-6;
  device.host_seconds = 1e-6 / of_a_core;
  device.inside = {device.bandwidth / 4, 5e-6 / of_a_core};
  return device;
}

}  // namespace boostr
