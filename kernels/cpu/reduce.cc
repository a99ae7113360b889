#include <limits>
#include <type_traits>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/rows.h"

// Sums and maxima. What is added across threads is cut into chunks of a fixed size, whose results
// are combined in order.
namespace boostr::cpu::BOOSTR_ISA {
namespace {

/// The larger of two numbers, or vectors of them; NaN if one is NaN, so that no maximum hides a
/// broken value.
template <class V>
V max_or_nan(V a, V b) {
  return (b > a) | (b != b) ? b : a;
}

template <class S>
Accumulator<S> sum_of(const S* x, std::int64_t count) {
  return sum_row<Accumulator<S>>(count, [&](auto piece) { return load(x, piece); });
}

template <class S>
Accumulator<S> max_of(const S* x, std::int64_t count) {
  using A = Accumulator<S>;
  constexpr A lowest = -std::numeric_limits<A>::infinity();
  const Vec<A> best = fold_row<lanes<A>>(
      count, splat(lowest),
      [&](Vec<A>& most, std::int64_t i, std::int64_t n) {
        most = max_or_nan(most, load_n(x + i, n, lowest));
      },
      max_or_nan<Vec<A>>);
  A result = lowest;
  for (int lane = 0; lane < lanes<A>; ++lane) result = max_or_nan(result, A(best[lane]));
  return result;
}

template <class S>
Accumulator<S> reduced(const S* x, std::int64_t count, Reduction reduction) {
  return reduction == Reduction::sum ? sum_of(x, count) : max_of(x, count);
}

/// Sum of term(x) in f64; `term` takes and returns vectors of double.
template <class S, class Term>
double sum_in_f64(const S* x, std::int64_t count, Term term) {
  using A = Accumulator<S>;
  return sum_row<double, A>(count, [&]<int n>(Piece<n> piece) {
    prefetch_ahead(x, piece);
    const auto v = load(x, piece);
    if constexpr (std::is_same_v<A, double>) {
      return each(term, v);
    } else {
      return pack_of<double, n>([&](int k) {
        const InF64 halves = in_f64(v.part[k]);
        return term(halves.first) + term(halves.second);
      });
    }
  });
}

/// Sum of squares in f64, where the square of no f32 overflows.
template <class S>
double squares_of(const S* x, std::int64_t count) {
  return sum_in_f64(x, count, [](Vec<double> v) { return v * v; });
}

template <class S>
bool finite(const S* x, std::int64_t count) {
  using A = Accumulator<S>;
  // 0 times infinity is NaN, which no sum loses.
  return sum_row<A>(count, [&](auto piece) {
           prefetch_ahead(x, piece);
           return load(x, piece) * A(0);
         }) == A(0);
}

constexpr std::int64_t chunk_size = 65536;

std::int64_t num_chunks(const In& x) { return (x.shape.numel() + chunk_size - 1) / chunk_size; }

}  // namespace

void reduce(Stream& stream, Out y, In x, Reduction reduction) {
  dispatch_float(x.dtype, [&]<class S>() {
    const bool in_f64 = y.dtype == DType::f64 && reduction == Reduction::sum;
    const std::int64_t chunks = num_chunks(x);
    auto* const partial =
        reinterpret_cast<double*>(stream.scratch(std::size_t(chunks) * sizeof(double)));
    if (partial == nullptr) return;
    parallel_chunks(stream, x.shape.numel(), chunk_size,
                    [&](std::int64_t chunk, std::int64_t begin, std::int64_t end) {
                      const S* const from = x.as<S>() + begin;
                      partial[chunk] =
                          in_f64 ? sum_in_f64(from, end - begin, [](Vec<double> v) { return v; })
                                 : reduced(from, end - begin, reduction);
                    });
    const double result = reduced(partial, chunks, reduction);
    dispatch_float(y.dtype, [&]<class R>() { *y.as<R>() = static_cast<R>(result); });
  });
}

void reduce_rows(Stream& stream, Out y, In x, Reduction reduction) {
  dispatch_float(x.dtype, [&]<class S>() {
    const std::int64_t columns = x.shape.back();
    for_each_row(stream, x.shape, [&](std::int64_t row) {
      y.as<Accumulator<S>>()[row] = reduced(x.as<S>() + row * columns, columns, reduction);
    });
  });
}

void sum_rows(Stream& stream, Out y, In x, bool accumulate) {
  dispatch_float(x.dtype, [&]<class S>() {
    const std::int64_t columns = x.shape.back();
    sum_columns<Accumulator<S>>(stream, y, x.shape.rows(), accumulate,
                                [&](std::int64_t row, std::int64_t i, std::int64_t n) {
                                  return load_n(x.as<S>() + row * columns + i, n);
                                });
  });
}

void sum_squares(Stream& stream, Out partials, In x, double factor) {
  dispatch_float(x.dtype, [&]<class S>() {
    parallel_chunks(stream, x.shape.numel(), norm_chunk,
                    [&](std::int64_t chunk, std::int64_t begin, std::int64_t end) {
                      partials.as<double>()[chunk] =
                          factor * factor * squares_of(x.as<S>() + begin, end - begin);
                    });
  });
}

void all_finite(Stream& stream, Out flag, In x) {
  dispatch_float(x.dtype, [&]<class S>() {
    const std::int64_t chunks = num_chunks(x);
    auto* const partial =
        reinterpret_cast<std::int32_t*>(stream.scratch(std::size_t(chunks) * sizeof(std::int32_t)));
    if (partial == nullptr) return;
    parallel_chunks(stream, x.shape.numel(), chunk_size,
                    [&](std::int64_t chunk, std::int64_t begin, std::int64_t end) {
                      partial[chunk] = finite(x.as<S>() + begin, end - begin);
                    });
    *flag.as<std::int32_t>() =
        std::all_of(partial, partial + chunks, [](std::int32_t ok) { return ok != 0; });
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
