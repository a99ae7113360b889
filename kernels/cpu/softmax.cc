#include <limits>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/parallel_for.h"
#include "kernels/cpu/simd.h"

namespace boostr::cpu::BOOSTR_ISA {
namespace {

constexpr std::int64_t grain = 4096;  // elements worth a thread

/// Calls body(row) for every row of `width` elements, in parallel.
template <class Body>
void for_each_row(const Stream& stream, In x, Body&& body) {
  const std::int64_t width = x.shape.back();
  const std::int64_t rows_per_grain =
      std::max<std::int64_t>(1, grain / std::max<std::int64_t>(1, width));
  parallel_for(stream, x.shape.rows(), rows_per_grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) body(row);
  });
}

/// y = exp(x - max x) / sum. The exponentials are computed twice rather than kept in y, whose type
/// may be too narrow.
template <class S>
void softmax_row(S* y, const S* x, std::int64_t width) {
  using A = Accumulator<S>;
  constexpr std::int64_t step = lanes<A>;
  constexpr A lowest = -std::numeric_limits<A>::infinity();
  Vec<A> largest = splat(lowest);
  for_each_vector(width, step, [&](std::int64_t i, std::int64_t n) {
    largest = max(largest, load_n(x + i, n, lowest));
  });
  const A peak = reduce_max(largest);
  Vec<A> sum{};
  for_each_vector(width, step, [&](std::int64_t i, std::int64_t n) {
    sum += exp(load_n(x + i, n, lowest) - peak);
  });
  const A factor = 1 / reduce_add(sum);
  for_each_vector(width, step, [&](std::int64_t i, std::int64_t n) {
    store_n(y + i, exp(load_n(x + i, n) - peak) * factor, n);
  });
}

template <class S>
void softmax_grad_row(S* dx, const S* dy, const S* y, std::int64_t width) {
  using A = Accumulator<S>;
  Vec<A> sum{};
  for_each_vector(width, lanes<A>, [&](std::int64_t i, std::int64_t n) {
    sum += load_n(y + i, n) * load_n(dy + i, n);
  });
  const A dot = reduce_add(sum);
  for_each_vector(width, lanes<A>, [&](std::int64_t i, std::int64_t n) {
    store_n(dx + i, load_n(y + i, n) * (load_n(dy + i, n) - dot), n);
  });
}

}  // namespace

void softmax(Stream& stream, Out y, In x) {
  const std::int64_t width = x.shape.back();
  dispatch_float(x.dtype, [&]<class S>() {
    for_each_row(stream, x, [&](std::int64_t row) {
      softmax_row(y.as<S>() + row * width, x.as<S>() + row * width, width);
    });
  });
}

void softmax_grad(Stream& stream, Out dx, In dy, In y) {
  const std::int64_t width = y.shape.back();
  dispatch_float(y.dtype, [&]<class S>() {
    for_each_row(stream, y, [&](std::int64_t row) {
      softmax_grad_row(dx.as<S>() + row * width, dy.as<S>() + row * width, y.as<S>() + row * width,
                       width);
    });
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
