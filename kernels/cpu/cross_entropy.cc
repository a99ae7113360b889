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

/// max x and sum exp(x - max x) of one row.
template <class A>
struct RowStatistics {
  A peak = 0;
  A sum = 0;
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
  return {peak, reduce_add(sum)};
}

/// gradient = exp(x - lse) - one_hot(target). The target's element is computed from the logit once
/// more and not from the rounded gradient.
template <class S, class D>
void gradient_row(D* gradient, const S* x, std::int64_t width, std::int32_t target,
                  RowStatistics<Accumulator<S>> row) {
  using A = Accumulator<S>;
  const A factor = 1 / row.sum;
  const A target_logit = static_cast<A>(x[target]);
  for_each_vector(width, lanes<A>, [&](std::int64_t i, std::int64_t n) {
    store_n(gradient + i, exp_nonpositive(load_n(x + i, n) - row.peak) * factor, n);
  });
  gradient[target] = static_cast<D>(std::exp(target_logit - row.peak) * factor - 1);
}

template <class S, class D>
void cross_entropy_rows(Stream& stream, Out loss, Out dlogits, In logits, In targets) {
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
      const RowStatistics<A> row = row_statistics(x, width);
      loss.as<A>()[t] = std::log(row.sum) + (row.peak - static_cast<A>(x[target]));
      if (gradient != nullptr) gradient_row(gradient, x, width, target, row);
    }
  });
}

}  // namespace

void cross_entropy(Stream& stream, Out loss, Out dlogits, In logits, In targets) {
  dispatch_float(logits.dtype, [&]<class S>() {
    dispatch_float(dlogits ? dlogits.dtype : logits.dtype, [&]<class D>() {
      if constexpr (std::is_same_v<Accumulator<S>, Accumulator<D>>) {
        cross_entropy_rows<S, D>(stream, loss, dlogits, logits, targets);
      } else {
        throw Error(text("cross_entropy: no gradient of type ", dlogits.dtype, " for ",
                         logits.dtype, " logits"));
      }
    });
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
