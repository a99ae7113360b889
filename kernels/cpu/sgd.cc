// SGD as PyTorch's: g += wd p; buf = momentum buf + g (g itself at step 1); p -= lr (nesterov ? g +
// momentum buf : buf).
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/optimizer_pass.h"

namespace boostr::cpu::BOOSTR_ISA {

void sgd(Stream& stream, std::span<const OptimizerSlice> slices, const SgdStep& step) {
  const AroundCaches around_caches(slices);
  for_each_slice_part(stream, slices, [&](std::size_t index, std::int64_t begin, std::int64_t end) {
    const OptimizerSlice& slice = slices[index];
    dispatch_master(slice, [&]<class A>() {
      const SlicePointers<A> pointers(slice, around_caches.state_from<A>(slice, begin));
      const A decay = A(slice.weight_decay), lr = A(slice.lr);
      const A momentum = A(step.momentum), grad_factor = A(step.grad_factor);
      write_weights<A>(
          slice, begin, end, around_caches, [&](std::int64_t i, std::int64_t n) -> Vec<A> {
            prefetch_ahead(pointers.master + i);
            prefetch_ahead(pointers.grad + i);
            const Vec<A> p = load_n(pointers.master + i, n);
            const Vec<A> grad = load_n(pointers.grad + i, n) * grad_factor + decay * p;
            if (momentum == A(0)) return p - lr * grad;  // without momentum there need be no buffer
            prefetch_ahead(pointers.exp_avg + i);
            const Vec<A> buffer =
                step.step == 1 ? grad : momentum * load_n(pointers.exp_avg + i, n) + grad;
            store_n(pointers.new_exp_avg + i, buffer, n, pointers.around_caches);
            return p - lr * (step.nesterov ? grad + momentum * buffer : buffer);
          });
    });
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
