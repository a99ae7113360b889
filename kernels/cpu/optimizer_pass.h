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
  bool around_caches;  ///< store the moments so

  explicit SlicePointers(const OptimizerSlice& slice, bool around_caches = false)
      : master((slice.old_master ? slice.old_master : slice.master).as<A>()),
        exp_avg((slice.old_exp_avg ? slice.old_exp_avg : slice.exp_avg).as<A>()),
        exp_avg_sq((slice.old_exp_avg_sq ? slice.old_exp_avg_sq : slice.exp_avg_sq).as<A>()),
        grad(slice.grad.as<A>()),
        new_exp_avg(slice.exp_avg.as<A>()),
        new_exp_avg_sq(slice.exp_avg_sq.as<A>()),
        around_caches(around_caches) {}
};

/// Calls f.operator()<A>() with the type of the master weights.
template <class F>
void dispatch_master(const OptimizerSlice& slice, F&& f) {
  if (slice.master.dtype == DType::f64)
    f.template operator()<double>();
  else
    f.template operator()<float>();
}

/// Whether all weights together, or all new states that stand beside old ones, are so large that the
/// caches would not keep them.
struct AroundCaches {
  bool weights = false, state = false;

  explicit AroundCaches(std::span<const OptimizerSlice> slices) {
    std::size_t weight_bytes = 0, state_bytes = 0;
    for (const OptimizerSlice& slice : slices) {
      weight_bytes += slice.param ? slice.param.bytes() : 0;
      state_bytes += slice.old_master ? slice.master.bytes() : 0;
    }
    weights = weight_bytes >= larger_than_caches;
    state = state_bytes >= larger_than_caches;
  }

  /// Whether the state's vectors from `begin` on lie so that they can be stored around the caches.
  template <class A>
  bool state_from(const OptimizerSlice& slice, std::int64_t begin) const {
    const auto aligned = [&](const Out& view) {
      return !view || reinterpret_cast<std::uintptr_t>(view.as<A>() + begin) % simd_bytes == 0;
    };
    return state && aligned(slice.master) && aligned(slice.exp_avg) && aligned(slice.exp_avg_sq);
  }
};

/// Calls new_master(i, n) -> Vec<A> for each vector of [begin, end), stores it as the master and,
/// rounded, as `param`.
template <class A, class NewMaster>
void write_weights(const OptimizerSlice& slice, std::int64_t begin, std::int64_t end,
                   AroundCaches around_caches, NewMaster&& new_master) {
  A* master = slice.master.as<A>();
  const bool state_around = around_caches.state_from<A>(slice, begin);
  if (!slice.param) {
    for_each_vector(end - begin, lanes<A>, [&](std::int64_t i, std::int64_t n) {
      store_n(master + begin + i, new_master(begin + i, n), n, state_around);
    });
    return;
  }
  dispatch_float(slice.param.dtype, [&]<class P>() {
    if constexpr (std::is_same_v<Accumulator<P>, A>) {
      P* param = slice.param.as<P>();
      const auto address = reinterpret_cast<std::uintptr_t>(param + begin);
      const bool around =
          around_caches.weights && address % sizeof(typename Storage<P>::Register) == 0;
      for_each_vector(end - begin, lanes<A>, [&](std::int64_t i, std::int64_t n) {
        const Vec<A> weights = new_master(begin + i, n);
        store_n(master + begin + i, weights, n, state_around);
        store_n(param + begin + i, weights, n, around);
      });
    }
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
