#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

/// RMSNorm and LayerNorm in doubles, row by row.
namespace boostr::reference {

struct Normalized {
  std::vector<double> y, mean, rstd;
};

/// y = x * rstd * weight (arXiv 1910.07467); `mean` stays empty.
inline Normalized rms_norm(std::span<const double> x, std::span<const double> weight, double eps) {
  const std::size_t columns = weight.size();
  Normalized out;
  for (std::size_t row = 0; row < x.size() / columns; ++row) {
    double squares = 0;
    for (std::size_t i = 0; i < columns; ++i)
      squares += x[row * columns + i] * x[row * columns + i];
    out.rstd.push_back(1 / std::sqrt(squares / double(columns) + eps));
    for (std::size_t i = 0; i < columns; ++i)
      out.y.push_back(x[row * columns + i] * out.rstd[row] * weight[i]);
  }
  return out;
}

/// y = (x - mean) * rstd * weight + bias (arXiv 1607.06450).
inline Normalized layer_norm(std::span<const double> x, std::span<const double> weight,
                             std::span<const double> bias, double eps) {
  const std::size_t columns = weight.size();
  Normalized out;
  for (std::size_t row = 0; row < x.size() / columns; ++row) {
    const double* in = x.data() + row * columns;
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < columns; ++i) sum += in[i];
    const double mean = sum / double(columns);
    for (std::size_t i = 0; i < columns; ++i) squares += (in[i] - mean) * (in[i] - mean);
    out.mean.push_back(mean);
    out.rstd.push_back(1 / std::sqrt(squares / double(columns) + eps));
    for (std::size_t i = 0; i < columns; ++i) {
      out.y.push_back((in[i] - mean) * out.rstd[row] * weight[i] + (bias.empty() ? 0.0 : bias[i]));
    }
  }
  return out;
}

}  // namespace boostr::reference
