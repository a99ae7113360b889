#include "tests/benchmarks/blas.h"

#if defined(BOOSTR_OPENBLAS)
#include <cblas.h>
#endif

namespace boostr::benchmarks {

#if defined(BOOSTR_OPENBLAS)
namespace {

CBLAS_TRANSPOSE flag(bool transposed) { return transposed ? CblasTrans : CblasNoTrans; }

template <class T>
void multiply(const GemmCall& call, const T* a, const T* b, T* c) {
  const auto m = blasint(call.m), n = blasint(call.n), k = blasint(call.k);
  const blasint lda = call.transpose_a ? m : k, ldb = call.transpose_b ? k : n;
  if constexpr (std::is_same_v<T, float>) {
    cblas_sgemm(CblasRowMajor, flag(call.transpose_a), flag(call.transpose_b), m, n, k, 1, a, lda,
                b, ldb, 0, c, n);
  } else {
    cblas_dgemm(CblasRowMajor, flag(call.transpose_a), flag(call.transpose_b), m, n, k, 1, a, lda,
                b, ldb, 0, c, n);
  }
}

template <class T>
std::function<void()> multiplication(const GemmCall& call, const Array& a, const Array& b,
                                     const Array& c, int threads) {
  return [call, a = a.in().as<T>(), b = b.in().as<T>(), c = c.out().as<T>(), threads] {
    openblas_set_num_threads(threads);
    for (std::int64_t i = 0; i < call.batch; ++i)
      multiply(call, a + i * call.m * call.k, b + i * call.k * call.n, c + i * call.m * call.n);
  };
}

}  // namespace

std::optional<Contender> openblas(const GemmCall& call, const Array& a, const Array& b,
                                  const Array& c, int threads) {
  if (a.dtype != DType::f32 && a.dtype != DType::f64) return std::nullopt;
  return Contender{.name = "openblas",
                   .work = call.flops(),
                   .run = a.dtype == DType::f32 ? multiplication<float>(call, a, b, c, threads)
                                                : multiplication<double>(call, a, b, c, threads),
                   .own_threads = threads > 1};
}
#else
std::optional<Contender> openblas(const GemmCall&, const Array&, const Array&, const Array&, int) {
  return std::nullopt;
}
#endif

}  // namespace boostr::benchmarks
