#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

/// Softmax and cross entropy in doubles, row by row.
namespace boostr::reference {

inline std::vector<double> softmax(std::span<const double> x, std::size_t width) {
  std::vector<double> y(x.size());
  for (std::size_t row = 0; row < x.size(); row += width) {
    const double peak = *std::max_element(x.begin() + row, x.begin() + row + width);
    double sum = 0;
    for (std::size_t i = 0; i < width; ++i) sum += std::exp(x[row + i] - peak);
    for (std::size_t i = 0; i < width; ++i) y[row + i] = std::exp(x[row + i] - peak) / sum;
  }
  return y;
}

inline std::vector<double> softmax_grad(std::span<const double> dy, std::span<const double> y,
                                        std::size_t width) {
  std::vector<double> dx(y.size());
  for (std::size_t row = 0; row < y.size(); row += width) {
    double dot = 0;
    for (std::size_t i = row; i < row + width; ++i) dot += y[i] * dy[i];
    for (std::size_t i = row; i < row + width; ++i) dx[i] = y[i] * (dy[i] - dot);
  }
  return dx;
}

struct CrossEntropy {
  std::vector<double> loss, dlogits;
};
/// -log softmax(logits)[target] and its gradient; 0 where the target is negative.
inline CrossEntropy cross_entropy(std::span<const double> logits, std::span<const double> targets,
                                  std::size_t width) {
  CrossEntropy result{std::vector<double>(targets.size()), softmax(logits, width)};
  for (std::size_t t = 0; t < targets.size(); ++t) {
    double* gradient = result.dlogits.data() + t * width;
    if (targets[t] < 0) {
      std::fill_n(gradient, width, 0.0);
      continue;
    }
    const auto target = std::size_t(targets[t]);
    const double* x = logits.data() + t * width;
    const double peak = *std::max_element(x, x + width);
    double sum = 0;
    for (std::size_t i = 0; i < width; ++i) sum += std::exp(x[i] - peak);
    result.loss[t] = peak + std::log(sum) - x[target];
    gradient[target] -= 1;
  }
  return result;
}

}  // namespace boostr::reference
