#pragma once

#include "kernels/runtime/dtype.h"
#include "trainer/plan/device_model.h"
#include "trainer/plan/plan.h"

namespace boostr {

/// How ranks share this machine.
struct HostShare {
  int ranks = 1;    ///< that run here
  int threads = 1;  ///< of each
  friend bool operator==(const HostShare&, const HostShare&) = default;
};
/// All of `ranks` unless they are more than four for each core: then one on each core, and other
/// machines like this one for the rest. `threads`: what the recipe says; -1: the cores they share.
HostShare share_of_this_host(int ranks, int threads);

/// What the process of the rank that holds most would have in memory, as far as can be told: what is
/// planned, the program and its libraries, MPI, and the files of the data, of which only the sizes
/// are asked.
double process_bytes(const Plan& plan);

/// What is known of this machine without measuring.
DeviceModel host_model(const HostShare& share);

/// This machine as one of so many ranks finds it, by a quick measurement of its peaks: how much of
/// them kernels reach is assumed.
DeviceModel this_device(const HostShare& share, DType compute);

}  // namespace boostr
