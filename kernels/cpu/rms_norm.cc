#include <cmath>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/rows.h"

// RMSNorm (arXiv 1910.07467) of each row x of length N, with r = 1 / sqrt(mean(x^2) + eps):
//   y  = r x w
//   dx = r (g - r^2 mean(g x) x)   where g = dy w
//   dw = sum over the rows of r x dy
namespace boostr::cpu::BOOSTR_ISA {
namespace {

/// Returns rstd. The last pass over a row, which lies in L1, fetches the next row.
template <class S>
Accumulator<S> normalize_row(S* y, const S* x, const S* weight, std::int64_t count, double eps,
                             bool around_caches) {
  using A = Accumulator<S>;
  const A squares = sum_row<A>(count, [&](auto piece) {
    prefetch_result(y, piece, around_caches);
    const auto v = load(x, piece);
    return v * v;
  });
  const A rstd = 1 / std::sqrt(squares / A(count) + A(eps));
  for_each_piece<A>(count, [&](auto piece) {
    prefetch(x + count, piece);
    store(y, load(x, piece) * rstd * load(weight, piece), piece, around_caches);
  });
  return rstd;
}

template <class S>
void grad_row(S* dx, const S* dy, const S* x, const S* weight, Accumulator<S> rstd,
              std::int64_t count, bool around_caches) {
  using A = Accumulator<S>;
  const A dot = sum_row<A>(count, [&](auto piece) {
    prefetch_result(dx, piece, around_caches);
    return load(dy, piece) * load(weight, piece) * load(x, piece);
  });
  const A along_x = rstd * rstd * dot / A(count);
  for_each_piece<A>(count, [&](auto piece) {
    prefetch(dy + count, piece);
    prefetch(x + count, piece);
    const auto g = load(dy, piece) * load(weight, piece);
    store(dx, (g - load(x, piece) * along_x) * rstd, piece, around_caches);
  });
}

}  // namespace

void rms_norm(Stream& stream, Out y, Out rstd, In x, In weight, double eps) {
  dispatch_float(x.dtype, [&]<class S>() {
    const std::int64_t columns = x.shape.back();
    const bool around_caches = rows_go_around_caches(y);
    for_each_row(stream, x.shape, [&](std::int64_t row) {
      const std::int64_t at = row * columns;
      rstd.as<Accumulator<S>>()[row] = normalize_row(y.as<S>() + at, x.as<S>() + at, weight.as<S>(),
                                                     columns, eps, around_caches);
    });
  });
}

void rms_norm_grad_x(Stream& stream, Out dx, In dy, In x, In weight, In rstd) {
  dispatch_float(x.dtype, [&]<class S>() {
    const std::int64_t columns = x.shape.back();
    const bool around_caches = rows_go_around_caches(dx);
    for_each_row(stream, x.shape, [&](std::int64_t row) {
      const std::int64_t at = row * columns;
      grad_row(dx.as<S>() + at, dy.as<S>() + at, x.as<S>() + at, weight.as<S>(),
               rstd.as<Accumulator<S>>()[row], columns, around_caches);
    });
  });
}

void rms_norm_grad_weight(Stream& stream, Out dweight, In dy, In x, In rstd, bool accumulate) {
  dispatch_float(x.dtype, [&]<class S>() {
    using A = Accumulator<S>;
    const std::int64_t columns = x.shape.back();
    sum_columns<A>(stream, dweight, x.shape.rows(), accumulate,
                   [&](std::int64_t row, std::int64_t i, std::int64_t n) {
                     const std::int64_t at = row * columns + i;
                     return load_n(dy.as<S>() + at, n) * load_n(x.as<S>() + at, n) *
                            rstd.as<A>()[row];
                   });
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
