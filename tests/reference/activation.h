#pragma once

#include <cmath>
#include <numbers>

#include "kernels/kernel_table.h"

/// The activations in doubles, one element at a time.
namespace boostr::reference {

inline double activation(double x, Activation kind) {
  const double c = std::sqrt(2 / std::numbers::pi);
  switch (kind) {
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::gelu:
      return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
    case Activation::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(c * (x + 0.044715 * x * x * x)));
  }
  return NAN;
}

/// d activation / dx.
inline double activation_slope(double x, Activation kind) {
  const double c = std::sqrt(2 / std::numbers::pi);
  const double u = c * (x + 0.044715 * x * x * x);
  const double s = 1 / (1 + std::exp(-x));
  switch (kind) {
    case Activation::silu:
      return s * (1 + x / (1 + std::exp(x)));
    case Activation::gelu:
      return 0.5 * std::erfc(-x / std::numbers::sqrt2) +
             x * std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi);
    case Activation::gelu_tanh:
      return 1 / (1 + std::exp(-2 * u)) +
             0.5 * x * std::pow(std::cosh(u), -2) * c * (1 + 3 * 0.044715 * x * x);
  }
  return NAN;
}

}  // namespace boostr::reference
