#pragma once

#include <cstdint>

#include "kernels/cpu/simd.h"

namespace boostr::cpu::BOOSTR_ISA {

/// a / b and a, a multiple of b, rounded up; a >= 0, b > 0.
constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) { return divide_up(a, b) * b; }

}  // namespace boostr::cpu::BOOSTR_ISA
