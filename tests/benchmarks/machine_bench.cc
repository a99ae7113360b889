// What the machine can do at most: multiply-adds in registers, and copies in each level of memory.
#include "tests/benchmarks/bandwidth.h"

namespace boostr::benchmarks {
namespace {

/// Reports the median of the rounds as "rate".
void run_yardstick(benchmark::State& state, const Yardstick& yardstick) {
  std::vector<double> rates;
  for (auto _ : state) {
    rates.push_back(yardstick());
    state.SetIterationTime(1.0 / rates.back());
  }
  state.counters["rate"] = median(rates);
}

void add_peak(const Setup& setup, DType dtype, int threads) {
  add_benchmark(text("peak/", dtype, "/threads:", threads), setup, [=](benchmark::State& state) {
    Stream stream(cpu_device, threads);
    run_yardstick(state, fma_peak(*setup.table, stream, dtype));
  });
}

/// Half of the bytes are read and half are written.
void add_copy(const Setup& setup, std::int64_t bytes, int threads) {
  const std::string size = bytes < 1 << 20 ? text(bytes >> 10, "KiB") : text(bytes >> 20, "MiB");
  add_benchmark(text("copy/", size, "/threads:", threads), setup, [=](benchmark::State& state) {
    Stream stream(cpu_device, threads);
    const Array from = filled(DType::u8, {bytes / 2}, 1), to = filled(DType::u8, {bytes / 2}, 0);
    run_yardstick(state, bandwidth(stream, {{from.in()}, {to.out()}, {}}));
  });
}

}  // namespace
}  // namespace boostr::benchmarks

int main(int argc, char** argv) {
  using namespace boostr;
  using namespace boostr::benchmarks;
  return run_benchmarks(argc, argv, [](const Setup& setup) {
    for (const int threads : setup.threads) {
      for (const DType dtype : {DType::f32, DType::bf16, DType::f16, DType::f64})
        add_peak(setup, dtype, threads);
      for (const std::int64_t kib : {32, 1 << 10, 12 << 10, 128 << 10, 1 << 20})
        add_copy(setup, kib << 10, threads);
    }
  });
}
