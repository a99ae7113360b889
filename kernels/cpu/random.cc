#include "kernels/cpu/random.h"

#include <bit>
#include <cmath>
#include <limits>

#include "kernels/cpu/philox.h"

// Numbers from Philox words. Compiled once, for the baseline instruction set and without fused
// multiply-adds; uses only operations that IEEE 754 rounds exactly (+ - * / sqrt) and nothing of
// libm, so every machine gets the same bits.
namespace boostr::cpu {
namespace {

template <std::size_t n>
double polynomial(const double (&coefficients)[n], double x) {
  double sum = coefficients[n - 1];
  for (std::size_t i = n - 1; i-- > 0;) sum = sum * x + coefficients[i];
  return sum;
}

/// Natural logarithm of a normal x > 0: x = 2^e m with m in [sqrt(1/2), sqrt(2)), log m = 2
/// artanh((m - 1) / (m + 1)).
double log_of(double x) {
  constexpr std::uint64_t sqrt_half_bits = 0x3fe6a09e667f3bcd;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  const auto exponent = std::int64_t(bits - sqrt_half_bits) >> 52;
  const auto m = std::bit_cast<double>(bits - (std::uint64_t(exponent) << 52));
  constexpr double artanh_series[] = {1.0,      1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9, 1.0 / 11,
                                      1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21};
  const double t = (m - 1) / (m + 1);
  return double(exponent) * 0.69314718055994530942 + 2 * t * polynomial(artanh_series, t * t);
}

/// The standard normal number below which lies the fraction (word + 1/2) / 2^32: Wichura, Algorithm
/// AS 241 (PPND16), Applied Statistics 37 (1988), relative error about 1e-16. Its far tail, beyond
/// 1e-11, is not reached.
double normal_of(std::uint32_t word) {
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
  const double p = (double(word) + 0.5) * 0x1p-32;
  const double q = p - 0.5;
  if (q >= -0.425 && q <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(a, r) / polynomial(b, r);
  }
  const double r = std::sqrt(-log_of(q < 0 ? p : 1 - p)) - 1.6;
  const double z = polynomial(c, r) / polynomial(d, r);
  return q < 0 ? -z : z;
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
    BOOSTR_ISA::for_each_random_word(
        stream, y.shape, key, index,
        [&](std::int64_t at, const std::uint32_t* words, std::int64_t n) {
          for (std::int64_t j = 0; j < n; ++j)
            y.as<S>()[at + j] = static_cast<S>(mean + std * normal_of(words[j]));
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
    BOOSTR_ISA::for_each_random_word(
        stream, y.shape, key, index,
        [&](std::int64_t at, const std::uint32_t* words, std::int64_t n) {
          for (std::int64_t j = 0; j < n; ++j) {
            const auto value = static_cast<S>(low + (high - low) * (double(words[j]) * 0x1p-32));
            y.as<S>()[at + j] = as_double(value) < as_double(least)      ? least
                                : as_double(value) > as_double(greatest) ? greatest
                                                                         : value;
          }
        });
  });
}

}  // namespace boostr::cpu
