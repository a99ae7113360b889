#pragma once

#include <cmath>
#include <complex>
#include <cstddef>
#include <span>
#include <vector>

#include "kernels/kernel_table.h"

/// Rotary embedding in doubles, as multiplication of complex numbers.
namespace boostr::reference {

/// Turns the pairs of x[B, S, H, D] (`shape`) by `angles` [positions, R / 2].
inline std::vector<double> rope(std::span<const double> x, const Shape& shape,
                                std::span<const double> angles, std::size_t pairs,
                                const RopeOptions& options) {
  std::vector<double> y(x.begin(), x.end());
  const auto sequence = std::size_t(shape[1]), heads = std::size_t(shape[2]),
             head_dim = std::size_t(shape[3]);
  for (std::size_t head = 0; head < x.size() / head_dim; ++head) {
    const std::size_t position = std::size_t(options.first_position) + head / heads % sequence;
    for (std::size_t pair = 0; pair < pairs; ++pair) {
      const std::size_t a = head * head_dim + (options.interleaved ? 2 * pair : pair);
      const std::size_t b = options.interleaved ? a + 1 : a + pairs;
      const double angle = (options.inverse ? -1 : 1) * angles[position * pairs + pair];
      const std::complex<double> turned = std::complex<double>(x[a], x[b]) * std::polar(1.0, angle);
      y[a] = turned.real();
      y[b] = turned.imag();
    }
  }
  return y;
}

}  // namespace boostr::reference
