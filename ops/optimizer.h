#pragma once

#include <span>
#include <vector>

#include "kernels/kernel_table.h"

/// Optimizer updates of many slices in one call; the formulas are with the types, in
/// kernels/kernel_table.h. All views of a call are on `device`.
namespace boostr {

void adamw_step(std::span<const OptimizerSlice> slices, const AdamWStep& step,
                Device device = cpu_device);

/// ||p||^2 and ||u||^2 of a chunk of norm_chunk elements of a slice, u being LAMB's update before
/// the trust ratio.
struct LambNorms {
  double param = 0;
  double update = 0;
};
/// First pass: updates the moments and returns the norms of all chunks of the first slice, of the
/// second, ...
std::vector<LambNorms> lamb_moments(std::span<const OptimizerSlice> slices, const AdamWStep& step,
                                    Device device = cpu_device);
/// Second pass: `trust` has one ratio for each slice.
void lamb_apply(std::span<const OptimizerSlice> slices, const AdamWStep& step,
                std::span<const double> trust, Device device = cpu_device);

void sgd_step(std::span<const OptimizerSlice> slices, const SgdStep& step,
              Device device = cpu_device);

}  // namespace boostr
