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

/// Sums of g and g xhat, lane by lane.
template <class A>
struct Sums {
  Vec<A> g, g_xhat;
};

template <class S>
void grad_row(S* dx, const S* dy, const S* x, const S* weight, RowStatistics<Accumulator<S>> row,
              std::int64_t count, bool around_caches) {
  using A = Accumulator<S>;
  const auto g = [&](std::int64_t i, std::int64_t n) {
    return load_n(dy + i, n) * load_n(weight + i, n);
  };
  const auto xhat = [&](std::int64_t i, std::int64_t n) {
    return (load_n(x + i, n) - row.mean) * row.rstd;
  };
  const Sums<A> sums = fold_row<lanes<A>>(
      count, Sums<A>{},
      [&](Sums<A>& sum, std::int64_t i, std::int64_t n) {
        const Vec<A> v = g(i, n);
        sum.g += v;
        sum.g_xhat += v * xhat(i, n);
      },
      [](const Sums<A>& a, const Sums<A>& b) {
        return Sums<A>{a.g + b.g, a.g_xhat + b.g_xhat};
      });
  const A mean_g = reduce_add(sums.g) / A(count);
  const A mean_g_xhat = reduce_add(sums.g_xhat) / A(count);
  for_each_vector(count, lanes<A>, [&](std::int64_t i, std::int64_t n) {
    prefetch(dy + count + i);
    prefetch(x + count + i);
    store_n(dx + i, row.rstd * (g(i, n) - mean_g - mean_g_xhat * xhat(i, n)), n, around_caches);
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
