#include <algorithm>
#include <cstring>
#include <type_traits>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/rows.h"

// y[i] = f(x[i], ...): one pass, each thread streams through one range.
namespace boostr::cpu::BOOSTR_ISA {
namespace {

/// What mixed storage types are computed in: f64 if one of them is f64.
template <class... S>
using Common = std::conditional_t<std::disjunction_v<std::is_same<S, double>...>, double, float>;

/// load_n and store_n, also for f64 arithmetic on narrower storage, which only verification uses:
/// lane by lane.
template <class A, class S>
Vec<A> load_as(const S* p, std::int64_t n) {
  if constexpr (std::is_same_v<A, Accumulator<S>>) {
    return load_n(p, n);
  } else {
    Vec<A> v{};
    for (std::int64_t i = 0; i < n; ++i) v[i] = static_cast<A>(static_cast<Accumulator<S>>(p[i]));
    return v;
  }
}
template <class A, class S>
void store_as(S* p, Vec<A> v, std::int64_t n, bool around_caches) {
  if constexpr (std::is_same_v<A, Accumulator<S>>) {
    store_n(p, v, n, around_caches);
  } else {
    for (std::int64_t i = 0; i < n; ++i) p[i] = static_cast<S>(static_cast<Accumulator<S>>(v[i]));
  }
}

/// `count` elements of map. 16-bit elements of one type go in packs, whose conversion takes fewer
/// instructions; others would wait longer for memory in packs than one by one.
template <class A, class D, class F, class... S>
void map_part(D* y, std::int64_t count, bool around_caches, F f, const S*... x) {
  if constexpr (sizeof(D) < sizeof(A) && std::conjunction_v<std::is_same<D, S>...>) {
    for_each_piece<A>(count, [=](auto piece) {
      (prefetch_ahead(x, piece), ...);
      store(y, each(f, load(x, piece)...), piece, around_caches);
    });
  } else {
    for_each_vector(count, lanes<A>, [=](std::int64_t i, std::int64_t n) {
      (prefetch_ahead(x + i), ...);
      store_as<A>(y + i, Vec<A>(f(load_as<A>(x + i, n)...)), n, around_caches);
    });
  }
}

/// out[i] = f(x[i], ...), in the arithmetic of the widest type.
template <class D, class F, class... S>
void map(const Stream& stream, const Out& out, F f, const S*... x) {
  using A = Common<D, S...>;
  D* const y = out.as<D>();
  const bool in_place = ((static_cast<const void*>(x) == out.data) || ...);
  const bool around_caches = !in_place && goes_around_caches(out);
  parallel_for(stream, out.shape.numel(), elementwise_grain,
               [&](std::int64_t begin, std::int64_t end) {
                 map_part<A>(y + begin, end - begin, around_caches, f, (x + begin)...);
                 finish_stores_around_caches();
               });
}

/// y[t, :] = a[t, :] + b.
template <class S>
void add_to_rows(const Stream& stream, const Out& y, const In& a, const In& b) {
  const std::int64_t width = y.shape.back();
  parallel_for(
      stream, y.shape.rows(), std::max<std::int64_t>(1, elementwise_grain / width),
      [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin * width; i < end * width; i += width)
          for_each_vector(width, lanes<Accumulator<S>>, [&](std::int64_t k, std::int64_t n) {
            store_n(y.as<S>() + i + k, load_n(a.as<S>() + i + k, n) + load_n(b.as<S>() + k, n), n);
          });
      });
}

/// Calls f.operator()<D, S>() with the storage types of an output and an input.
template <class F>
void dispatch_pair(DType y, DType x, F&& f) {
  dispatch_float(
      y, [&]<class D>() { dispatch_float(x, [&]<class S>() { f.template operator()<D, S>(); }); });
}

}  // namespace

void add(Stream& stream, Out y, In a, In b) {
  dispatch_float(y.dtype, [&]<class S>() {
    if (b.shape.numel() < y.shape.numel()) return add_to_rows<S>(stream, y, a, b);
    const auto sum = [](auto u, auto v) { return u + v; };
    map<S>(stream, y, sum, a.as<S>(), b.as<S>());
  });
}

void mul(Stream& stream, Out y, In a, In b) {
  dispatch_float(y.dtype, [&]<class S>() {
    const auto product = [](auto u, auto v) { return u * v; };
    map<S>(stream, y, product, a.as<S>(), b.as<S>());
  });
}

void scale(Stream& stream, Out y, In x, double factor) {
  dispatch_pair(y.dtype, x.dtype, [&]<class D, class S>() {
    const auto a = static_cast<Common<D, S>>(factor);
    const auto scaled = [a](auto v) { return a * v; };
    map<D>(stream, y, scaled, x.as<S>());
  });
}

void axpy(Stream& stream, Out y, In x, double factor) {
  dispatch_pair(y.dtype, x.dtype, [&]<class D, class S>() {
    const auto a = static_cast<Common<D, S>>(factor);
    const auto add_scaled = [a](auto sum, auto v) { return sum + a * v; };
    map<D>(stream, y, add_scaled, static_cast<const D*>(y.as<D>()), x.as<S>());
  });
}

void fill(Stream& stream, Out y, double value) {
  dispatch_any(y.dtype, [&]<class S>() {
    const auto element = static_cast<S>(value);
    parallel_for(stream, y.shape.numel(), elementwise_grain,
                 [&](std::int64_t begin, std::int64_t end) {
                   std::fill(y.as<S>() + begin, y.as<S>() + end, element);
                 });
  });
}

void cast(Stream& stream, Out y, In x) {
  // Multiplying by 1 is exact for every number, infinity and NaN.
  if (y.dtype != x.dtype) return scale(stream, y, x, 1.0);
  parallel_for(stream, std::int64_t(x.bytes()), 4 * elementwise_grain,
               [&](std::int64_t begin, std::int64_t end) {
                 std::memcpy(y.as<std::byte>() + begin, x.as<std::byte>() + begin,
                             std::size_t(end - begin));
               });
}

}  // namespace boostr::cpu::BOOSTR_ISA
