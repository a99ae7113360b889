#include <cmath>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/philox.h"
#include "kernels/cpu/simd.h"

// y = x / (1 - p) where the element's uniform number w / 2^32 is at least p, else 0.
namespace boostr::cpu::BOOSTR_ISA {

void dropout(Stream& stream, Out y, In x, RandomKey key, GlobalIndex index, double p) {
  const auto threshold = static_cast<std::uint64_t>(std::ceil(p * 0x1p32));
  dispatch_float(y.dtype, [&]<class S>() {
    using A = Accumulator<S>;
    const A kept = static_cast<A>(1.0 / (1.0 - p));
    for_each_random_word(stream, y.shape, key, index,
                         [&](std::int64_t at, const std::uint32_t* words, std::int64_t count) {
                           A factors[words_at_once];
                           for (std::int64_t j = 0; j < count; ++j)
                             factors[j] = words[j] >= threshold ? kept : A(0);
                           for_each_vector(count, lanes<A>, [&](std::int64_t j, std::int64_t n) {
                             const Vec<A> factor = load_n(factors + j, n);
                             const Vec<A> scaled = load_n(x.as<S>() + at + j, n) * factor;
                             store_n(y.as<S>() + at + j, factor != Vec<A>{} ? scaled : Vec<A>{},
                                     n);  // also where x is infinite
                           });
                         });
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
