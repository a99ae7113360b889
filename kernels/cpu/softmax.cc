#include <limits>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/rows.h"
#include "kernels/cpu/vector_math.h"

namespace boostr::cpu::BOOSTR_ISA {
namespace {

/// y = exp(x - max x) / sum. The exponentials wait in f32 in `kept`: y's type may be too narrow.
template <class S>
void softmax_row(S* y, const S* x, std::int64_t width, Accumulator<S>* kept, bool around_caches) {
  using A = Accumulator<S>;
  constexpr A lowest = -std::numeric_limits<A>::infinity();
  const A peak = max_row(x, width);
  const A sum = sum_row<A>(width, [&](std::int64_t i, std::int64_t n) {
    const Vec<A> e = exp_nonpositive(load_n(x + i, n, lowest) - peak);
    store_n(kept + i, e, n);
    return e;
  });
  const A factor = 1 / sum;
  for_each_vector(width, lanes<A>, [&](std::int64_t i, std::int64_t n) {
    prefetch(x + width + i);
    store_n(y + i, load_n(kept + i, n) * factor, n, around_caches);
  });
}

template <class S>
void softmax_grad_row(S* dx, const S* dy, const S* y, std::int64_t width, bool around_caches) {
  using A = Accumulator<S>;
  const A dot = sum_row<A>(
      width, [&](std::int64_t i, std::int64_t n) { return load_n(y + i, n) * load_n(dy + i, n); });
  for_each_vector(width, lanes<A>, [&](std::int64_t i, std::int64_t n) {
    prefetch(y + width + i);
    prefetch(dy + width + i);
    store_n(dx + i, load_n(y + i, n) * (load_n(dy + i, n) - dot), n, around_caches);
  });
}

}  // namespace

void softmax(Stream& stream, Out y, In x) {
  const std::int64_t width = x.shape.back();
  const bool around_caches = rows_go_around_caches(y);
  dispatch_float(x.dtype, [&]<class S>() {
    using A = Accumulator<S>;
    A* const kept =
        reinterpret_cast<A*>(stream.scratch(std::size_t(stream.num_threads() * width) * sizeof(A)));
    for_each_row(stream, x.shape, [&](std::int64_t row, int thread) {
      softmax_row(y.as<S>() + row * width, x.as<S>() + row * width, width, kept + thread * width,
                  around_caches);
    });
  });
}

void softmax_grad(Stream& stream, Out dx, In dy, In y) {
  const std::int64_t width = y.shape.back();
  const bool around_caches = rows_go_around_caches(dx);
  dispatch_float(y.dtype, [&]<class S>() {
    for_each_row(stream, y.shape, [&](std::int64_t row) {
      softmax_grad_row(dx.as<S>() + row * width, dy.as<S>() + row * width, y.as<S>() + row * width,
                       width, around_caches);
    });
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
