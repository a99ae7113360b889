#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace boostr::benchmarks {

/// Of values of which there is at least one; between two that are next to each other, linearly.
inline double quantile(std::vector<double> values, double q) {
  std::ranges::sort(values);
  const double place = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (place - static_cast<double>(below)) * (values[above] - values[below]);
}

inline double median(std::vector<double> values) { return quantile(std::move(values), 0.5); }

}  // namespace boostr::benchmarks
