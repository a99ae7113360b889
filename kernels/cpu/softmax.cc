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
  const A sum = sum_row<A>(width, [&](auto piece) {
    prefetch(x + width, piece);
    prefetch_result(y, piece, around_caches);
    const auto e = exp_nonpositive(load(x, piece, lowest) - peak);
    store(kept, e, piece, false);
    return e;
  });
  const A factor = 1 / sum;
  for_each_piece<A>(
      width, [&](auto piece) { store(y, load(kept, piece) * factor, piece, around_caches); });
}

template <class S>
void softmax_grad_row(S* dx, const S* dy, const S* y, std::int64_t width, bool around_caches) {
  using A = Accumulator<S>;
  const A dot = sum_row<A>(width, [&](auto piece) {
    prefetch_result(dx, piece, around_caches);
    return load(y, piece) * load(dy, piece);
  });
  for_each_piece<A>(width, [&](auto piece) {
    prefetch(y + width, piece);
    prefetch(dy + width, piece);
    store(dx, load(y, piece) * (load(dy, piece) - dot), piece, around_caches);
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
    if (kept == nullptr) return;
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
