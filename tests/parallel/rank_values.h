#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

#include "kernels/runtime/dtype.h"
#include "kernels/runtime/view.h"
#include "parallel/comm/communicator.h"

namespace boostr::testing {

/// Element `i` of rank `rank`: scattered over the type's range, so that the order of additions
/// shows in the bits of a floating-point sum and integers overflow.
template <class T>
T rank_value(int rank, std::int64_t i) {
  std::uint64_t x = static_cast<std::uint64_t>(i) * 0x9e3779b97f4a7c15u +
                    static_cast<std::uint64_t>(rank + 1) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 31)) * 0x94d049bb133111ebu;
  x ^= x >> 29;
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(x);
  } else {
    const double unit = static_cast<double>(static_cast<std::int64_t>(x)) / 9.3e18;
    return static_cast<T>(static_cast<float>(unit) * (x % 3 == 0 ? 100.0f : 1.0f));
  }
}

template <class T>
std::vector<T> rank_values(int rank, std::int64_t numel) {
  std::vector<T> values(static_cast<std::size_t>(numel));
  for (std::int64_t i = 0; i < numel; ++i)
    values[static_cast<std::size_t>(i)] = rank_value<T>(rank, i);
  return values;
}

/// The reduction over ranks 0 .. size-1 of their element i, in this order: the specification.
template <class T>
T reduced_value(int size, std::int64_t i, ReduceOp op) {
  if constexpr (std::is_integral_v<T>) {
    std::uint64_t sum = 0;
    T extreme = rank_value<T>(0, i);
    for (int rank = 0; rank < size; ++rank) {
      const T value = rank_value<T>(rank, i);
      sum += static_cast<std::uint64_t>(value);
      if (op == ReduceOp::max ? value > extreme : value < extreme) extreme = value;
    }
    return op == ReduceOp::sum ? static_cast<T>(sum) : extreme;
  } else {
    using A = Accumulator<T>;
    A result = static_cast<A>(rank_value<T>(0, i));
    for (int rank = 1; rank < size; ++rank) {
      const A value = static_cast<A>(rank_value<T>(rank, i));
      if (op == ReduceOp::sum) result += value;
      if (op == ReduceOp::max && value > result) result = value;
      if (op == ReduceOp::min && value < result) result = value;
    }
    return static_cast<T>(result);
  }
}

template <class T>
In in_of(const std::vector<T>& values) {
  return {values.data(), dtype_of<T>, {static_cast<std::int64_t>(values.size())}};
}
template <class T>
Out out_of(std::vector<T>& values) {
  return {values.data(), dtype_of<T>, {static_cast<std::int64_t>(values.size())}};
}

}  // namespace boostr::testing
