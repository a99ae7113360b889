// LAMB (arXiv 1904.00962), algorithm 2. The trust ratio needs the norm of a whole tensor's update
// first, and a tensor may lie on several ranks, so there are two passes: moments and norms; then p
// -= lr trust u.
#include <algorithm>

#include "kernels/cpu/adam_moments.h"
#include "kernels/cpu/kernels.h"

namespace boostr::cpu::BOOSTR_ISA {
namespace {

/// Squared norms of a chunk's weights and of its update, as they lie in the kernel's result.
struct SquaredNorms {
  double weights = 0.0, update = 0.0;
};

/// u = mhat / (sqrt(vhat) + eps) + wd p
template <class A>
struct LambUpdate {
  AdamMoments<A> moments;
  A weight_decay;

  LambUpdate(const AdamWStep& step, const OptimizerSlice& slice)
      : moments(step), weight_decay(A(slice.weight_decay)) {}
  Vec<A> operator()(const Elements<A>& e) const {
    return moments.direction(e) + weight_decay * e.master;
  }
};

/// Updates the moments of [begin, end) and returns this part's norms.
template <class A>
SquaredNorms update_moments(const OptimizerSlice& slice, const LambUpdate<A>& new_update,
                            std::int64_t begin, std::int64_t end) {
  const SlicePointers<A> pointers(slice);
  Vec<double> weights{}, update{};
  for_each_vector(end - begin, lanes<A>, [&](std::int64_t i, std::int64_t n) {
    const Elements<A> e = new_update.moments.update(pointers, begin + i, n);
    weights = add_squares(weights, e.master);
    update = add_squares(update, new_update(e));
  });
  return {reduce_add(weights), reduce_add(update)};
}

}  // namespace

void lamb_moments(Stream& stream, std::span<const OptimizerSlice> slices, const AdamWStep& step,
                  Out norms) {
  auto* parts = reinterpret_cast<SquaredNorms*>(norms.as<double>());
  const std::int64_t chunks = norms.shape.numel() / 2;
  parallel_for(stream, chunks, 1, [&](std::int64_t first, std::int64_t last) {
    std::int64_t before = 0;  // chunks of the slices before this one
    for (const OptimizerSlice& slice : slices) {
      const std::int64_t count = num_norm_chunks(slice.master.shape.numel());
      dispatch_master(slice, [&]<class A>() {
        const LambUpdate<A> new_update(step, slice);
        for (std::int64_t c = std::max(first, before); c < std::min(last, before + count); ++c) {
          const std::int64_t begin = (c - before) * norm_chunk;
          parts[c] = update_moments(slice, new_update, begin,
                                    std::min(begin + norm_chunk, slice.master.shape.numel()));
        }
      });
      before += count;
    }
  });
}

void lamb_apply(Stream& stream, std::span<const OptimizerSlice> slices, const AdamWStep& step,
                std::span<const double> trust) {
  const AroundCaches around_caches(slices);
  for_each_slice_part(stream, slices, [&](std::size_t index, std::int64_t begin, std::int64_t end) {
    const OptimizerSlice& slice = slices[index];
    dispatch_master(slice, [&]<class A>() {
      const LambUpdate<A> new_update(step, slice);
      const SlicePointers<A> pointers(slice);
      const A rate = A(slice.lr * trust[index]);
      write_weights<A>(slice, begin, end, around_caches, [&](std::int64_t i, std::int64_t n) {
        prefetch_ahead(pointers.master + i);
        prefetch_ahead(pointers.exp_avg + i);
        prefetch_ahead(pointers.exp_avg_sq + i);
        const Elements<A> e{load_n(pointers.master + i, n), load_n(pointers.exp_avg + i, n),
                            load_n(pointers.exp_avg_sq + i, n)};
        return e.master - rate * new_update(e);
      });
    });
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
