// AdamW (arXiv 1711.05101): p -= lr wd p; p -= lr mhat / (sqrt(vhat) + eps), in one pass over
// memory.
#include "kernels/cpu/adam_moments.h"
#include "kernels/cpu/kernels.h"

namespace boostr::cpu::BOOSTR_ISA {

void adamw(Stream& stream, std::span<const OptimizerSlice> slices, const AdamWStep& step) {
  const AroundCaches around_caches(slices);
  for_each_slice_part(stream, slices, [&](std::size_t index, std::int64_t begin, std::int64_t end) {
    const OptimizerSlice& slice = slices[index];
    dispatch_master(slice, [&]<class A>() {
      const AdamMoments<A> moments(step);
      const SlicePointers<A> pointers(slice, around_caches.state_from<A>(slice, begin));
      const A keep = A(1 - slice.lr * slice.weight_decay), lr = A(slice.lr);
      write_weights<A>(slice, begin, end, around_caches, [&](std::int64_t i, std::int64_t n) {
        const Elements<A> e = moments.update(pointers, i, n);
        return keep * e.master - lr * moments.direction(e);
      });
    });
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
