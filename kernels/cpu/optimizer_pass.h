#pragma once

#include <span>

#include "kernels/cpu/rows.h"
#include "kernels/kernel_table.h"

// What the optimizer kernels share: one pass over the memory of many tensors in one parallel
// region.
namespace boostr::cpu::BOOSTR_ISA {

/// Calls body(slice index, begin, end) on ranges that cover all elements of all slices, in equal
/// parts per thread.
template <class Body>
void for_each_slice_part(const Stream& stream, std::span<const OptimizerSlice> slices,
                         Body&& body) {
  constexpr std::int64_t grain = 16384;  // elements that are worth waking a thread
  std::int64_t total = 0;
  for (const OptimizerSlice& slice : slices) total += slice.master.shape.numel();
  parallel_for(stream, total, grain, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t first = 0;  // of the slice, in the sequence of all elements
    for (std::size_t i = 0; i < slices.size() && first < end; ++i) {
      const std::int64_t count = slices[i].master.shape.numel();
      const Range part{std::max<std::int64_t>(begin - first, 0), std::min(end - first, count)};
      if (part.begin < part.end) body(i, part.begin, part.end);
      first += count;
    }
    finish_stores_around_caches();
  });
}

/// Typed pointers of a slice whose arithmetic is in A.
template <class A>
struct SlicePointers {
  const A *master, *exp_avg, *exp_avg_sq, *grad;  ///< what is read
  A *new_exp_avg, *new_exp_avg_sq;

  explicit SlicePointers(const OptimizerSlice& slice)
      : master((slice.old_master ? slice.old_master : slice.master).as<A>()),
        exp_avg((slice.old_exp_avg ? slice.old_exp_avg : slice.exp_avg).as<A>()),
        exp_avg_sq((slice.old_exp_avg_sq ? slice.old_exp_avg_sq : slice.exp_avg_sq).as<A>()),
        grad(slice.grad.as<A>()),
        new_exp_avg(slice.exp_avg.as<A>()),
        new_exp_avg_sq(slice.exp_avg_sq.as<A>()) {}
};

/// Calls f.operator()<A>() with the type of the master weights.
template <class F>
void dispatch_master(const OptimizerSlice& slice, F&& f) {
  if (slice.master.dtype == DType::f64)
    f.template operator()<double>();
  else
    f.template operator()<float>();
}

/// Whether all weights together are so large that the caches would not keep them.
inline bool weights_go_around_caches(std::span<const OptimizerSlice> slices) {
  std::size_t bytes = 0;
  for (const OptimizerSlice& slice : slices) bytes += slice.param ? slice.param.bytes() : 0;
  return bytes >= larger_than_caches;
}

/// Calls new_master(i, n) -> Vec<A> for each vector of [begin, end), stores it as the master and,
/// rounded, as `param`.
template <class A, class NewMaster>
void write_weights(const OptimizerSlice& slice, std::int64_t begin, std::int64_t end,
                   bool around_caches, NewMaster&& new_master) {
  A* master = slice.master.as<A>();
  if (!slice.param) {
    for_each_vector(end - begin, lanes<A>, [&](std::int64_t i, std::int64_t n) {
      store_n(master + begin + i, new_master(begin + i, n), n);
    });
    return;
  }
  dispatch_float(slice.param.dtype, [&]<class P>() {
    if constexpr (std::is_same_v<Accumulator<P>, A>) {
      P* param = slice.param.as<P>();
      const auto address = reinterpret_cast<std::uintptr_t>(param + begin);
      const bool around = around_caches && address % sizeof(typename Storage<P>::Register) == 0;
      for_each_vector(end - begin, lanes<A>, [&](std::int64_t i, std::int64_t n) {
        const Vec<A> weights = new_master(begin + i, n);
        store_n(master + begin + i, weights, n);
        store_n(param + begin + i, weights, n, around);
      });
    }
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
