// Speed of matrix multiplication on the shapes of language models, as a fraction of the peak
// measured in the same process.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstring>

#include "kernels/kernel_table.h"

namespace boostr {
namespace {

/// FLOP/s of independent multiply-adds on all threads of the stream: the best of a few tries.
double measure_peak(Stream& stream, DType dtype) {
  double best = 0.0;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const double flops = kernels(cpu_device).peak_probe(stream, dtype, 200);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, flops / seconds.count());
  }
  return best;
}

struct Layout {
  const char* name;
  bool transpose_a, transpose_b;
};
constexpr Layout layouts[] = {{"NT", false, true}, {"NN", false, false}, {"TN", true, false}};

struct Size {
  std::int64_t m, n, k;
};
constexpr Size sizes[] = {
    {2048, 2048, 2048}, {512, 3072, 768}, {512, 768, 3072}, {2048, 768, 768}, {1024, 256, 256}};

Buffer ones(DType dtype, std::int64_t count) {
  Buffer buffer(std::size_t(count) * size_of(dtype));
  dispatch_float(dtype, [&]<class T>() {
    std::fill_n(reinterpret_cast<T*>(buffer.data()), count, static_cast<T>(Accumulator<T>(1)));
  });
  return buffer;
}

void run_gemm(benchmark::State& state, Size size, Layout layout, DType dtype, int threads) {
  Stream stream(cpu_device, threads);
  const Buffer a = ones(dtype, size.m * size.k), b = ones(dtype, size.n * size.k),
               c = ones(dtype, size.m * size.n);
  const In a_view{a.data(), dtype,
                  layout.transpose_a ? Shape{size.k, size.m} : Shape{size.m, size.k}};
  const In b_view{b.data(), dtype,
                  layout.transpose_b ? Shape{size.n, size.k} : Shape{size.k, size.n}};
  const Out c_view{c.data(), dtype, {size.m, size.n}};
  for (auto _ : state) {
    kernels(cpu_device)
        .gemm(stream, c_view, a_view, b_view, {}, {layout.transpose_a, layout.transpose_b});
  }
  const double flops = 2.0 * double(size.m) * double(size.n) * double(size.k);
  state.counters["FLOP/s"] =
      benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
  // An inverted rate counts seconds per unit; per peak-second it is the fraction of the peak.
  state.counters["of_peak"] = benchmark::Counter(flops / measure_peak(stream, dtype),
                                                 benchmark::Counter::kIsIterationInvariantRate);
}

void register_all() {
  for (int threads : {1, 2}) {
    for (DType dtype : {DType::f32, DType::bf16, DType::f64}) {
      for (const Size& size : sizes) {
        for (const Layout& layout : layouts) {
          const std::string label = text("gemm/", layout.name, '/', dtype, '/', size.m, 'x', size.n,
                                         'x', size.k, "/threads:", threads);
          benchmark::RegisterBenchmark(label.c_str(), run_gemm, size, layout, dtype, threads)
              ->UseRealTime();
        }
      }
    }
  }
}

}  // namespace
}  // namespace boostr

int main(int argc, char** argv) {
  boostr::register_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
