#include <cmath>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/rows.h"

// LayerNorm (arXiv 1607.06450) of each row x of length N, with m = mean(x), r = 1 / sqrt(mean((x -
// m)^2) + eps) and xhat = r (x - m):
//   y  = xhat w + b
//   dx = r (g - mean(g) - mean(g xhat) xhat)   where g = dy w
//   dw = sum over the rows of dy xhat          (db is sum_rows(dy))
namespace boostr::cpu::BOOSTR_ISA {
namespace {

template <class A>
struct RowStatistics {
  A mean, rstd;
};

/// The variance comes from the deviations: mean(x^2) - mean(x)^2 would cancel.
template <class S, class A = Accumulator<S>>
RowStatistics<A> row_statistics(const S* x, std::int64_t count, double eps) {
  const A mean = sum_row<A>(count, [&](auto piece) { return load(x, piece); }) / A(count);
  const A squares = sum_row<A>(count, [&](auto piece) {
    const auto deviation = load(x, piece, mean) - mean;
    return deviation * deviation;
  });
  return {mean, 1 / std::sqrt(squares / A(count) + A(eps))};
}

template <class S>
void grad_row(S* dx, const S* dy, const S* x, const S* weight, RowStatistics<Accumulator<S>> row,
              std::int64_t count, bool around_caches) {
  using A = Accumulator<S>;
  const auto g = [&](auto piece) { return load(dy, piece) * load(weight, piece); };
  const auto xhat = [&](auto piece) { return (load(x, piece) - row.mean) * row.rstd; };
  RowSum<A> sum_g, sum_g_xhat;
  for_each_piece<A>(count, [&](auto piece) {
    prefetch_result(dx, piece, around_caches);
    const auto v = g(piece);
    sum_g.add(v);
    sum_g_xhat.add(v * xhat(piece));
  });
  const A mean_g = sum_g.total() / A(count);
  const A mean_g_xhat = sum_g_xhat.total() / A(count);
  for_each_piece<A>(count, [&](auto piece) {
    prefetch(dy + count, piece);
    prefetch(x + count, piece);
    store(dx, (g(piece) - mean_g - xhat(piece) * mean_g_xhat) * row.rstd, piece, around_caches);
  });
}

}  // namespace

void layer_norm(Stream& stream, Out y, Out mean, Out rstd, In x, In weight, In bias, double eps) {
  dispatch_float(x.dtype, [&]<class S>() {
    using A = Accumulator<S>;
    const std::int64_t columns = x.shape.back();
    const bool around_caches = rows_go_around_caches(y);
    for_each_row(stream, x.shape, [&](std::int64_t row) {
      const S* const in = x.as<S>() + row * columns;
      S* const out = y.as<S>() + row * columns;
      const RowStatistics<A> s = row_statistics(in, columns, eps);
      mean.as<A>()[row] = s.mean;
      rstd.as<A>()[row] = s.rstd;
      for_each_piece<A>(columns, [&]<int n>(Piece<n> piece) {
        prefetch(in + columns, piece);
        const auto b = bias ? load(bias.as<S>(), piece) : Pack<A, n>{};
        store(out, (load(in, piece) - s.mean) * s.rstd * load(weight.as<S>(), piece) + b, piece,
              around_caches);
      });
    });
  });
}

void layer_norm_grad_x(Stream& stream, Out dx, In dy, In x, In weight, In mean, In rstd) {
  dispatch_float(x.dtype, [&]<class S>() {
    using A = Accumulator<S>;
    const std::int64_t columns = x.shape.back();
    const bool around_caches = rows_go_around_caches(dx);
    for_each_row(stream, x.shape, [&](std::int64_t row) {
      const std::int64_t at = row * columns;
      grad_row(dx.as<S>() + at, dy.as<S>() + at, x.as<S>() + at, weight.as<S>(),
               {mean.as<A>()[row], rstd.as<A>()[row]}, columns, around_caches);
    });
  });
}

void layer_norm_grad_weight(Stream& stream, Out dweight, In dy, In x, In mean, In rstd,
                            bool accumulate) {
  dispatch_float(x.dtype, [&]<class S>() {
    using A = Accumulator<S>;
    const std::int64_t columns = x.shape.back();
    sum_columns<A>(stream, dweight, x.shape.rows(), accumulate,
                   [&](std::int64_t row, std::int64_t i, std::int64_t n) {
                     const std::int64_t at = row * columns + i;
                     const Vec<A> xhat =
                         (load_n(x.as<S>() + at, n) - mean.as<A>()[row]) * rstd.as<A>()[row];
                     return load_n(dy.as<S>() + at, n) * xhat;
                   });
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
