#pragma once

#include "kernels/runtime/device.h"
#include "kernels/runtime/dtype.h"

namespace boostr {

/// Floating-point operations per second (a multiply-add is two) that the calling thread's stream,
/// with all its threads, reaches on independent multiply-adds of `dtype` in registers: the best of
/// several runs of about `seconds` together. The yardstick of MFU.
double measured_peak_flops(DType dtype, double seconds = 0.1, Device device = cpu_device);

}  // namespace boostr
