#pragma once

#include "kernels/runtime/device.h"
#include "kernels/runtime/dtype.h"

namespace boostr {

/// Floating-point operations per second (a multiply-add is two) that the calling thread's stream,
/// with all its threads, reaches on independent multiply-adds of `dtype` in registers: the best of
/// several runs of about `seconds` together, after as long to warm up. The yardstick of MFU.
double measured_peak_flops(DType dtype, double seconds = 0.1, Device device = cpu_device);

/// Bytes per second, read and written together, at which that stream copies between two buffers of
/// twice the last-level cache: the best of several runs. What a kernel that only moves data reaches
/// at most, unless it finds its data in a cache.
double measured_bandwidth(Device device = cpu_device);

}  // namespace boostr
