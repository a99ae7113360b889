#pragma once

#include <span>

#include "kernels/kernel_rows.h"

/// What a call of a kernel has to do at least, whatever the backend: the yardstick of its speed.
namespace boostr {

struct KernelCost {
  double flops = 0;  ///< of kernels made of products, a multiply-add being two; 0 for the others
  double bytes = 0;  ///< of the operands, each read or written once
};

inline double bytes_of(const In& view) { return view ? double(view.bytes()) : 0.0; }
inline double bytes_of(const Out& view) { return bytes_of(In(view)); }
/// `accumulate` and the options of a kernel are no operands.
template <class Option>
double bytes_of(const Option& /*option*/) {
  return 0;
}

/// The cost of calling the row with `args`, which have the types of its signature (without the
/// stream).
template <auto row, class... Args>
KernelCost kernel_cost(KernelRow<row>, const Args&... args) {
  return {.bytes = (bytes_of(args) + ...)};
}
KernelCost kernel_cost(KernelRow<&KernelTable::gemm>, const Out& c, const In& a, const In& b,
                       const In& bias, const GemmOptions& options);
/// Of a table only the rows that ids name are touched.
KernelCost kernel_cost(KernelRow<&KernelTable::embedding>, const Out& y, const In& table,
                       const In& ids, const std::int64_t& first_row);
KernelCost kernel_cost(KernelRow<&KernelTable::embedding_grad>, const Out& dtable, const In& dy,
                       const In& ids, const std::int64_t& first_row, const bool& accumulate);
/// Counts visible pairs of a query and a key: two products of the head dimension for each, and five
/// in the gradient, which computes the scores again.
KernelCost kernel_cost(KernelRow<&KernelTable::attention>, const Out& out, const Out& lse,
                       const In& q, const In& k, const In& v, const In& documents,
                       const AttentionOptions& options);
KernelCost kernel_cost(KernelRow<&KernelTable::attention_grad>, const Out& dq, const Out& dk,
                       const Out& dv, const In& dout, const AttentionSaved& saved,
                       const AttentionOptions& options);
KernelCost kernel_cost(KernelRow<&KernelTable::axpy>, const Out& y, const In& x,
                       const double& factor);
KernelCost kernel_cost(KernelRow<&KernelTable::adamw>,
                       const std::span<const OptimizerSlice>& slices, const AdamWStep& step);
KernelCost kernel_cost(KernelRow<&KernelTable::lamb_moments>,
                       const std::span<const OptimizerSlice>& slices, const AdamWStep& step,
                       const Out& norms);
KernelCost kernel_cost(KernelRow<&KernelTable::lamb_apply>,
                       const std::span<const OptimizerSlice>& slices, const AdamWStep& step,
                       const std::span<const double>& trust);
KernelCost kernel_cost(KernelRow<&KernelTable::sgd>, const std::span<const OptimizerSlice>& slices,
                       const SgdStep& step);

/// Pairs (i, j) of `length` positions with key j visible to query i under the options.
double visible_pairs(std::int64_t length, const AttentionOptions& options);

}  // namespace boostr
