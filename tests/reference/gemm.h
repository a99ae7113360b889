#pragma once

#include <cstdint>
#include <vector>

/// Naive double loops: the specification of each kernel.
namespace boostr::reference {

struct GemmProblem {
  std::int64_t batch = 1, m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false, accumulate = false;
};

/// c = op(a) op(b) + bias (+ c) for each item of the batch; `bias` may be empty.
inline void gemm(const GemmProblem& p, std::vector<double>& c, const std::vector<double>& a,
                 const std::vector<double>& b, const std::vector<double>& bias) {
  for (std::int64_t item = 0; item < p.batch; ++item) {
    for (std::int64_t i = 0; i < p.m; ++i) {
      for (std::int64_t j = 0; j < p.n; ++j) {
        double sum = bias.empty() ? 0.0 : bias[j];
        for (std::int64_t k = 0; k < p.k; ++k) {
          const double x = a[item * p.m * p.k + (p.transpose_a ? k * p.m + i : i * p.k + k)];
          const double y = b[item * p.n * p.k + (p.transpose_b ? j * p.k + k : k * p.n + j)];
          sum += x * y;
        }
        double& out = c[(item * p.m + i) * p.n + j];
        out = p.accumulate ? out + sum : sum;
      }
    }
  }
}

}  // namespace boostr::reference
