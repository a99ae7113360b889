#pragma once

#include "kernels/runtime/device.h"
#include "kernels/runtime/timeline.h"

namespace boostr {

/// While it lives, every kernel that the calling thread runs is an event of `timeline`, with its
/// FLOPs and bytes (kernels/kernel_cost.h). It works by handing out another kernel table: without a
/// profiler nothing is asked and nothing is slower. One at a time per thread.
class KernelProfiler {
 public:
  explicit KernelProfiler(Timeline& timeline, Device device = cpu_device);
  ~KernelProfiler();
  KernelProfiler(const KernelProfiler&) = delete;
  KernelProfiler& operator=(const KernelProfiler&) = delete;

 private:
  Device device_;
};

}  // namespace boostr
