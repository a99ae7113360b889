#pragma once

#include "kernels/runtime/block_source.h"
#include "kernels/runtime/device.h"
#include "kernels/runtime/stream.h"
#include "kernels/runtime/timeline.h"

namespace boostr {

/// While it lives, what the calling thread computes is only noted: a kernel is an event of
/// `timeline` that takes no time, and a buffer is an address that the memory ledger counts as ever
/// and behind which there is nothing. Small ones read as zeros, so that host code goes its way, and
/// what host code writes is there. So code that trains shows what it would hold and do, of models of
/// any size. One at a time per thread; buffers made meanwhile may outlive it.
class DryRun {
 public:
  /// `num_threads`: of the stream, for the size of workspaces.
  explicit DryRun(Timeline& timeline, int num_threads = 1, Device device = cpu_device);
  ~DryRun();
  DryRun(const DryRun&) = delete;
  DryRun& operator=(const DryRun&) = delete;

 private:
  Device device_;
  Stream stream_before_;
  BlockSource* source_before_;
};

}  // namespace boostr
