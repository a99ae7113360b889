#include "ops/random.h"

#include "ops/check.h"

namespace boostr {

void fill_normal(const Tensor& x, RandomKey key, GlobalIndex index, double mean, double std) {
  expect_float("fill_normal", "x", x);
  kernels(x.device()).random_normal(current_stream(x.device()), x.out(), key, index, mean, std);
}

void fill_uniform(const Tensor& x, RandomKey key, GlobalIndex index, double low, double high) {
  expect_float("fill_uniform", "x", x);
  kernels(x.device()).random_uniform(current_stream(x.device()), x.out(), key, index, low, high);
}

}  // namespace boostr
