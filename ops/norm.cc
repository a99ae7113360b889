#include "ops/norm.h"

#include <numeric>

#include "ops/check.h"

namespace boostr {

std::vector<double> sum_of_squares_partials(const Tensor& x, double factor) {
  expect_float("sum_of_squares", "x", x);
  const std::int64_t chunks = num_norm_chunks(x.numel());
  const Tensor partials = Tensor::empty({chunks}, DType::f64, x.device());
  kernels(x.device())
      .sum_squares(current_stream(x.device()), partials.out(), x.view({x.numel()}).in(), factor);
  const auto values = partials.values<double>();
  return {values.begin(), values.end()};
}

double sum_of_squares(const Tensor& x, double factor) {
  const std::vector<double> partials = sum_of_squares_partials(x, factor);
  return std::accumulate(partials.begin(), partials.end(), 0.0);
}

bool all_finite(const Tensor& x) {
  expect_float("all_finite", "x", x);
  const Tensor flag = Tensor::empty({1}, DType::i32, x.device());
  kernels(x.device()).all_finite(current_stream(x.device()), flag.out(), x.in());
  return flag.values<std::int32_t>()[0] != 0;
}

}  // namespace boostr
