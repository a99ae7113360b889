#include "parallel/comm/reduce.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace boostr {
namespace {

// Elements are reduced in blocks that stay in the first-level cache.
constexpr std::int64_t block = 2048;

template <class T>
struct Sum {
  static T apply(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      using Unsigned = std::make_unsigned_t<T>;  // signed overflow would be undefined
      return static_cast<T>(static_cast<Unsigned>(a) + static_cast<Unsigned>(b));
    } else {
      return a + b;
    }
  }
};

// A NaN in either argument survives: a ? b with NaN is false, so both orders are asked.
template <class T>
struct Max {
  static T apply(T a, T b) { return b > a || b != b ? b : a; }
};
template <class T>
struct Min {
  static T apply(T a, T b) { return b < a || b != b ? b : a; }
};

/// The type that storage type T is reduced in.
template <class T>
using Reduced = std::conditional_t<std::is_integral_v<T>, T, Accumulator<T>>;

template <class T, class Op>
void reduce_block(std::span<std::byte* const> outputs, std::span<const std::byte* const> inputs,
                  std::int64_t first, std::int64_t count) {
  using R = Reduced<T>;
  R sum[block];
  const T* head = reinterpret_cast<const T*>(inputs[0]) + first;
  for (std::int64_t i = 0; i < count; ++i) sum[i] = static_cast<R>(head[i]);
  for (const std::byte* input : inputs.subspan(1)) {
    const T* next = reinterpret_cast<const T*>(input) + first;
    for (std::int64_t i = 0; i < count; ++i) sum[i] = Op::apply(sum[i], static_cast<R>(next[i]));
  }
  T* result = reinterpret_cast<T*>(outputs[0]) + first;
  for (std::int64_t i = 0; i < count; ++i) result[i] = static_cast<T>(sum[i]);
  for (std::byte* output : outputs.subspan(1)) {
    std::copy(result, result + count, reinterpret_cast<T*>(output) + first);
  }
}

template <class T, class Op>
void reduce(std::span<std::byte* const> outputs, std::span<const std::byte* const> inputs,
            std::int64_t count) {
  for (std::int64_t first = 0; first < count; first += block) {
    reduce_block<T, Op>(outputs, inputs, first, std::min(block, count - first));
  }
}

/// The reduction of one value is that value.
void copy_to(std::span<std::byte* const> outputs, const std::byte* input, DType dtype,
             std::int64_t count) {
  for (std::byte* output : outputs)
    if (output != input && count > 0)
      std::memcpy(output, input, static_cast<std::size_t>(count) * size_of(dtype));
}

}  // namespace

void reduce_in_order(std::span<std::byte* const> outputs, std::span<const std::byte* const> inputs,
                     DType dtype, std::int64_t count, ReduceOp op) {
  if (inputs.size() == 1) return copy_to(outputs, inputs[0], dtype, count);
  dispatch_any(dtype, [&]<class T>() {
    switch (op) {
      case ReduceOp::sum:
        return reduce<T, Sum<Reduced<T>>>(outputs, inputs, count);
      case ReduceOp::max:
        return reduce<T, Max<Reduced<T>>>(outputs, inputs, count);
      case ReduceOp::min:
        return reduce<T, Min<Reduced<T>>>(outputs, inputs, count);
    }
  });
}

}  // namespace boostr
