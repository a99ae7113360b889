#include <cmath>
#include <limits>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/rows.h"
#include "kernels/cpu/vector_math.h"

namespace boostr::cpu::BOOSTR_ISA {
namespace {

/// Elements of a row that are read twice while they lie in L1: once for their maximum, once for the
/// sum of their exponentials. So a row of any width comes from memory once per pass.
constexpr std::int64_t piece = 2048;

/// max x and sum exp(x - max x) of one row, and what its target's logit is.
template <class A>
struct RowStatistics {
  A peak = 0;
  A sum = 0;
  A target = 0;

  A loss() const { return std::log(sum) + (peak - target); }
};

template <class S>
RowStatistics<Accumulator<S>> row_statistics(const S* x, std::int64_t width) {
  using A = Accumulator<S>;
  constexpr A lowest = -std::numeric_limits<A>::infinity();
  A peak = std::numeric_limits<A>::lowest();  // finite: -inf - peak must not be NaN
  Vec<A> sum{};
  for_each_vector(width, piece, [&](std::int64_t first, std::int64_t count) {
    const A higher = std::max(peak, max_row(x + first, count));
    if (higher > peak) sum *= std::exp(peak - higher);
    peak = higher;
    for_each_vector(count, lanes<A>, [&](std::int64_t i, std::int64_t n) {
      sum += exp_nonpositive(load_n(x + first + i, n, lowest) - peak);
    });
  });
  return {.peak = peak, .sum = reduce_add(sum)};
}

/// gradient = exp(x - lse) - one_hot(target); `target` may be none of the row's classes. The
/// target's element is computed from the logit once more and not from the rounded gradient.
template <class S, class D>
void gradient_row(D* gradient, const S* x, std::int64_t width, std::int64_t target,
                  RowStatistics<Accumulator<S>> row) {
  using A = Accumulator<S>;
  const A factor = 1 / row.sum;
  for_each_vector(width, lanes<A>, [&](std::int64_t i, std::int64_t n) {
    store_n(gradient + i, exp_nonpositive(load_n(x + i, n) - row.peak) * factor, n);
  });
  if (target >= 0 && target < width)
    gradient[target] = static_cast<D>(std::exp(row.target - row.peak) * factor - 1);
}

/// The loss and, unless `dlogits` is empty, the gradient of each row from what statistics_of(row,
/// logits, target) returns of it; the classes are first_class, first_class + 1, ...
template <class S, class D, class StatisticsOf>
void cross_entropy_rows(Stream& stream, Out loss, Out dlogits, In logits, In targets,
                        std::int64_t first_class, StatisticsOf&& statistics_of) {
  using A = Accumulator<S>;
  const std::int64_t width = logits.shape.back();
  parallel_for(stream, logits.shape.rows(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      const S* x = logits.as<S>() + t * width;
      D* gradient = dlogits ? dlogits.as<D>() + t * width : nullptr;
      const std::int32_t target = targets.as<std::int32_t>()[t];
      if (target < 0) {
        loss.as<A>()[t] = 0;
        if (gradient != nullptr) std::fill_n(gradient, width, D{});
        continue;
      }
      const RowStatistics<A> row = statistics_of(t, x, target);
      loss.as<A>()[t] = row.loss();
      if (gradient != nullptr) gradient_row(gradient, x, width, target - first_class, row);
    }
  });
}

/// Calls f.operator()<S, D>() with the types of the logits and their gradient.
template <class F>
void dispatch_logits(const In& logits, const Out& dlogits, F&& f) {
  dispatch_float(logits.dtype, [&]<class S>() {
    dispatch_float(dlogits ? dlogits.dtype : logits.dtype, [&]<class D>() {
      if constexpr (std::is_same_v<Accumulator<S>, Accumulator<D>>) {
        f.template operator()<S, D>();
      } else {
        throw Error(text("cross_entropy: no gradient of type ", dlogits.dtype, " for ",
                         logits.dtype, " logits"));
      }
    });
  });
}

}  // namespace

void cross_entropy(Stream& stream, Out loss, Out dlogits, In logits, In targets) {
  dispatch_logits(logits, dlogits, [&]<class S, class D>() {
    using A = Accumulator<S>;
    cross_entropy_rows<S, D>(stream, loss, dlogits, logits, targets, 0,
                             [&](std::int64_t /*t*/, const S* x, std::int32_t target) {
                               RowStatistics<A> row = row_statistics(x, logits.shape.back());
                               row.target = static_cast<A>(x[target]);
                               return row;
                             });
  });
}

void cross_entropy_statistics(Stream& stream, Out statistics, In logits, In targets,
                              std::int64_t first_class) {
  const std::int64_t width = logits.shape.back();
  dispatch_float(logits.dtype, [&]<class S>() {
    using A = Accumulator<S>;
    parallel_for(stream, logits.shape.rows(), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t t = begin; t < end; ++t) {
        const S* x = logits.as<S>() + t * width;
        const std::int64_t target = targets.as<std::int32_t>()[t] - first_class;
        RowStatistics<A> row = row_statistics(x, width);
        if (target >= 0 && target < width) row.target = static_cast<A>(x[target]);
        A* result = statistics.as<A>() + t * 3;
        result[0] = row.peak;
        result[1] = row.sum;
        result[2] = row.target;
      }
    });
  });
}

void cross_entropy_from_statistics(Stream& stream, Out loss, Out dlogits, In logits, In targets,
                                   In statistics, std::int64_t first_class) {
  dispatch_logits(logits, dlogits, [&]<class S, class D>() {
    using A = Accumulator<S>;
    cross_entropy_rows<S, D>(stream, loss, dlogits, logits, targets, first_class,
                             [&](std::int64_t t, const S* /*x*/, std::int32_t /*target*/) {
                               const A* row = statistics.as<A>() + t * 3;
                               return RowStatistics<A>{
                                   .peak = row[0], .sum = row[1], .target = row[2]};
                             });
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
