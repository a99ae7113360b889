#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/philox.h"
#include "kernels/cpu/simd.h"

// Numbers from Philox words. Compiled without fused multiply-adds; uses only operations that IEEE
// 754 rounds exactly (+ - * / sqrt) and nothing of libm, so every instruction set and every machine
// gets the same bits.
namespace boostr::cpu::BOOSTR_ISA {
namespace {

using Doubles = Vec<double>;

template <std::size_t n>
Doubles polynomial(const double (&coefficients)[n], Doubles x) {
  Doubles sum = splat(coefficients[n - 1]);
#pragma GCC unroll 16
  for (std::size_t i = 1; i < n; ++i) sum = sum * x + coefficients[n - 1 - i];
  return sum;
}

/// Natural logarithm of x, normal and less than sqrt(1/2): x = 2^e m with m in [sqrt(1/2),
/// sqrt(2)), log m = 2 artanh((m - 1) / (m + 1)).
Doubles log_of(Doubles x) {
  constexpr std::uint64_t sqrt_half_bits = 0x3fe6a09e667f3bcd, bias = 1024;
  const auto bits = reinterpret_cast<Words>(x);
  const Words biased = (bits - sqrt_half_bits + (bias << 52)) >> 52;  // e + 1024, positive
  const auto m = reinterpret_cast<Doubles>(bits - ((biased - bias) << 52));
  const std::uint64_t magic_bits = 0x4330000000000000;  // of 2^52: the last bit counts ones
  const Doubles exponent = reinterpret_cast<Doubles>(biased | magic_bits) - (0x1p52 + bias);
  constexpr double artanh_series[] = {1.0,      1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9, 1.0 / 11,
                                      1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21};
  const Doubles t = (m - 1.0) / (m + 1.0);
  return exponent * 0.69314718055994530942 + 2.0 * t * polynomial(artanh_series, t * t);
}

// The standard normal number below which lies the share 1/2 + q: Wichura, Algorithm AS 241
// (PPND16), Applied Statistics 37 (1988), relative error about 1e-16. Its far tail, beyond 1e-11,
// is not reached.

/// For |q| <= 0.425.
Doubles central_normal(Doubles q) {
  constexpr double a[] = {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
                          1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
                          3.3430575583588128105e4, 2.5090809287301226727e3};
  constexpr double b[] = {1.0,
                          4.2313330701600911252e1,
                          6.8718700749205790830e2,
                          5.3941960214247511077e3,
                          2.1213794301586595867e4,
                          3.9307895800092710610e4,
                          2.8729085735721942674e4,
                          5.2264952788528545610e3};
  const Doubles r = 0.180625 - q * q;
  return q * polynomial(a, r) / polynomial(b, r);
}

/// For the others.
Doubles outer_normal(Doubles q) {
  constexpr double c[] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                          5.76949722146069140550e0,  3.64784832476320460504e0,
                          1.27045825245236838258e0,  2.41780725177450611770e-1,
                          2.27238449892691845833e-2, 7.74545014278341407640e-4};
  constexpr double d[] = {1.0,
                          2.05319162663775882187e0,
                          1.67638483018380384940e0,
                          6.89767334985100004550e-1,
                          1.48103976427480074590e-1,
                          1.51986665636164571966e-2,
                          5.47593808499534494600e-4,
                          1.05075007164441684324e-9};
  const Doubles r = sqrt(-log_of(0.5 - (q < 0.0 ? -q : q))) - 1.6;
  const Doubles z = polynomial(c, r) / polynomial(d, r);
  return q < 0.0 ? -z : z;
}

/// q for each word: (word + 1/2) / 2^32 is the share below its number.
Doubles centred(const std::uint32_t* words) {
  using Signed __attribute__((vector_size(lanes<double> * sizeof(std::int32_t)))) = std::int32_t;
  Signed offset;
  std::memcpy(&offset, words, sizeof offset);
  offset ^= std::numeric_limits<std::int32_t>::min();  // word - 2^31
  return (__builtin_convertvector(offset, Doubles) + 0.5) * 0x1p-32;
}

/// Standard normal numbers of n words. Takes words in the order of their method, so that every
/// vector is full of numbers to be computed alike.
void normals(double* z, const std::uint32_t* words, std::int64_t n) {
  constexpr auto first_central = std::uint32_t(0.075 * 0x1p32),
                 last_central = std::uint32_t(0.925 * 0x1p32);
  constexpr int padding = lanes<double>;
  std::uint32_t all[words_at_once + padding] = {}, outer[words_at_once + padding] = {};
  std::int64_t place[words_at_once], outer_count = 0;
  std::memcpy(all, words, std::size_t(n) * sizeof *words);
  for (std::int64_t j = 0; j < n; ++j) {
    outer[outer_count] = all[j];
    place[outer_count] = j;
    outer_count += all[j] < first_central || all[j] > last_central;
  }
  for (std::int64_t j = 0; j < n; j += lanes<double>)
    store(z + j, central_normal(centred(all + j)));
  for (std::int64_t k = 0; k < outer_count; k += lanes<double>) {
    const Doubles numbers = outer_normal(centred(outer + k));
    for (std::int64_t lane = 0; lane < std::min<std::int64_t>(lanes<double>, outer_count - k);
         ++lane)
      z[place[k + lane]] = numbers[lane];
  }
}

/// The neighbour of x in its own type, above it or below.
template <class T>
T next(T x, bool above) {
  using Bits = std::conditional_t<sizeof(T) == 2, std::uint16_t,
                                  std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>;
  constexpr auto sign = Bits(Bits{1} << (8 * sizeof(T) - 1));
  const auto bits = std::bit_cast<Bits>(x);
  if ((bits & Bits(~sign)) == 0) return std::bit_cast<T>(Bits(above ? 1 : sign | 1));
  const bool away_from_zero = above == ((bits & sign) == 0);
  return std::bit_cast<T>(Bits(away_from_zero ? bits + 1 : bits - 1));
}

template <class S>
double as_double(S x) {
  return static_cast<double>(static_cast<Accumulator<S>>(x));
}

}  // namespace

void random_normal(Stream& stream, Out y, RandomKey key, GlobalIndex index, double mean,
                   double std) {
  dispatch_float(y.dtype, [&]<class S>() {
    for_each_random_word(stream, y.shape, key, index,
                         [&](std::int64_t at, const std::uint32_t* words, std::int64_t n) {
                           double z[words_at_once + lanes<double>];
                           normals(z, words, n);
                           for (std::int64_t j = 0; j < n; ++j)
                             y.as<S>()[at + j] = static_cast<S>(mean + std * z[j]);
                         });
  });
}

void random_uniform(Stream& stream, Out y, RandomKey key, GlobalIndex index, double low,
                    double high) {
  dispatch_float(y.dtype, [&]<class S>() {
    // Rounding to the storage type must not leave the interval.
    S least = static_cast<S>(low), greatest = static_cast<S>(high);
    if (as_double(least) < low) least = next(least, true);
    if (as_double(greatest) >= high) greatest = next(greatest, false);
    for_each_random_word(stream, y.shape, key, index,
                         [&](std::int64_t at, const std::uint32_t* words, std::int64_t n) {
                           for (std::int64_t j = 0; j < n; ++j) {
                             const auto value =
                                 static_cast<S>(low + (high - low) * (double(words[j]) * 0x1p-32));
                             y.as<S>()[at + j] = as_double(value) < as_double(least)      ? least
                                                 : as_double(value) > as_double(greatest) ? greatest
                                                                                          : value;
                           }
                         });
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
