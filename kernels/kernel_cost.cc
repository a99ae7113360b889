#include "kernels/kernel_cost.h"

#include <algorithm>

namespace boostr {
namespace {

/// Over all sequences of `documents` [B, S], or of q [B, S, H, D] where it is empty.
double visible_pairs(const In& q, const In& documents, const AttentionOptions& options) {
  const std::int64_t sequences = q.shape[0], length = q.shape[1];
  if (!documents) return double(sequences) * visible_pairs(length, options);
  double pairs = 0;
  for (std::int64_t sequence = 0; sequence < sequences; ++sequence) {
    const std::int32_t* begin = documents.as<std::int32_t>() + sequence * length;
    const std::int32_t* const end = begin + length;
    while (begin != end) {
      const std::int32_t* const next = std::upper_bound(begin, end, *begin);
      pairs += visible_pairs(next - begin, options);
      begin = next;
    }
  }
  return pairs;
}

/// Multiply-adds of `products` products of q's heads with as many keys as they see.
double attention_flops(double products, const In& q, const In& documents,
                       const AttentionOptions& options) {
  const double width = double(q.shape[2] * q.shape[3]);
  return 2 * products * width * visible_pairs(q, documents, options);
}

/// How often an optimizer's pass moves each part of a slice.
struct SlicePasses {
  double master, exp_avg, exp_avg_sq, param, grad;
};

KernelCost slices_cost(std::span<const OptimizerSlice> slices, const SlicePasses& passes) {
  KernelCost cost;
  for (const OptimizerSlice& slice : slices)
    cost.bytes += passes.master * bytes_of(slice.master) +
                  passes.exp_avg * bytes_of(slice.exp_avg) +
                  passes.exp_avg_sq * bytes_of(slice.exp_avg_sq) +
                  passes.param * bytes_of(slice.param) + passes.grad * bytes_of(slice.grad);
  return cost;
}

}  // namespace

double visible_pairs(std::int64_t length, const AttentionOptions& options) {
  const bool windowed = options.window > 0 && options.window < length;
  const std::int64_t window = windowed ? options.window : length;
  // Query i sees min(i + 1, window) keys up to its own.
  const std::int64_t past = window * (window + 1) / 2 + (length - window) * window;
  const std::int64_t future = options.causal ? 0 : length * (length - 1) / 2;
  return double(past + future);
}

KernelCost kernel_cost(KernelRow<&KernelTable::gemm>, const Out& c, const In& a, const In& b,
                       const In& bias, const GemmOptions& options) {
  const std::int64_t depth = options.transpose_a ? a.shape[-2] : a.shape.back();
  const double result_passes = options.accumulate ? 2 : 1;
  return {.flops = 2.0 * double(c.shape.numel()) * double(depth),
          .bytes = result_passes * bytes_of(c) + bytes_of(a) + bytes_of(b) + bytes_of(bias)};
}

KernelCost kernel_cost(KernelRow<&KernelTable::embedding>, const Out& y, const In& /*table*/,
                       const In& ids, const std::int64_t& /*first_row*/) {
  return {.bytes = 2 * bytes_of(y) + bytes_of(ids)};
}

KernelCost kernel_cost(KernelRow<&KernelTable::embedding_grad>, const Out& dtable, const In& dy,
                       const In& ids, const std::int64_t& /*first_row*/, const bool& accumulate) {
  const double rows_added_to = double(dy.shape.numel()) * double(size_of(dtable.dtype));
  return {.bytes = (accumulate ? 0.0 : bytes_of(dtable)) + 2 * rows_added_to + bytes_of(dy) +
                   bytes_of(ids)};
}

KernelCost kernel_cost(KernelRow<&KernelTable::attention>, const Out& out, const Out& lse,
                       const In& q, const In& k, const In& v, const In& documents,
                       const AttentionOptions& options) {
  return {.flops = attention_flops(2, q, documents, options),
          .bytes = bytes_of(out) + bytes_of(lse) + bytes_of(q) + bytes_of(k) + bytes_of(v) +
                   bytes_of(documents)};
}

KernelCost kernel_cost(KernelRow<&KernelTable::attention_grad>, const Out& dq, const Out& dk,
                       const Out& dv, const In& dout, const AttentionSaved& saved,
                       const AttentionOptions& options) {
  const double read = bytes_of(dout) + bytes_of(saved.q) + bytes_of(saved.k) + bytes_of(saved.v) +
                      bytes_of(saved.documents) + bytes_of(saved.out) + bytes_of(saved.lse);
  return {.flops = attention_flops(5, saved.q, saved.documents, options),
          .bytes = bytes_of(dq) + bytes_of(dk) + bytes_of(dv) + read};
}

KernelCost kernel_cost(KernelRow<&KernelTable::axpy>, const Out& y, const In& x,
                       const double& /*factor*/) {
  return {.bytes = 2 * bytes_of(y) + bytes_of(x)};
}

KernelCost kernel_cost(KernelRow<&KernelTable::adamw>,
                       const std::span<const OptimizerSlice>& slices, const AdamWStep& /*step*/) {
  return slices_cost(slices, {.master = 2, .exp_avg = 2, .exp_avg_sq = 2, .param = 1, .grad = 1});
}

KernelCost kernel_cost(KernelRow<&KernelTable::lamb_moments>,
                       const std::span<const OptimizerSlice>& slices, const AdamWStep& /*step*/,
                       const Out& norms) {
  KernelCost cost =
      slices_cost(slices, {.master = 1, .exp_avg = 2, .exp_avg_sq = 2, .param = 0, .grad = 1});
  cost.bytes += bytes_of(norms);
  return cost;
}

KernelCost kernel_cost(KernelRow<&KernelTable::lamb_apply>,
                       const std::span<const OptimizerSlice>& slices, const AdamWStep& /*step*/,
                       const std::span<const double>& trust) {
  KernelCost cost =
      slices_cost(slices, {.master = 2, .exp_avg = 1, .exp_avg_sq = 1, .param = 1, .grad = 0});
  cost.bytes += double(trust.size_bytes());
  return cost;
}

KernelCost kernel_cost(KernelRow<&KernelTable::sgd>, const std::span<const OptimizerSlice>& slices,
                       const SgdStep& /*step*/) {
  return slices_cost(slices, {.master = 2, .exp_avg = 2, .exp_avg_sq = 0, .param = 1, .grad = 1});
}

}  // namespace boostr
