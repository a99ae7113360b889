#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace boostr::reference {

/// The gradient of sum(dy * f(x)) with respect to x by fourth-order central differences, right to
/// about 1e-10 for smooth f: std::vector<double> -> std::vector<double> of moderate size.
template <class F>
std::vector<double> finite_difference(F&& f, std::vector<double> x, std::span<const double> dy) {
  constexpr double h = 1e-3;
  const auto loss_at = [&](std::size_t i, double value) {
    const double saved = x[i];
    x[i] = value;
    const std::vector<double> y = f(x);
    x[i] = saved;
    double loss = 0;
    for (std::size_t k = 0; k < y.size(); ++k) loss += dy[k] * y[k];
    return loss;
  };
  std::vector<double> gradient(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double near = loss_at(i, x[i] + h) - loss_at(i, x[i] - h);
    const double far = loss_at(i, x[i] + 2 * h) - loss_at(i, x[i] - 2 * h);
    gradient[i] = (8 * near - far) / (12 * h);
  }
  return gradient;
}

}  // namespace boostr::reference
