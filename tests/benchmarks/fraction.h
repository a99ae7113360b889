#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kernels/kernel_table.h"
#include "tests/benchmarks/quantile.h"

// Speeds as fractions of what the machine reached at that moment. Other programs share machines, so
// a speed alone says little: every round measures the yardstick, a contender, the yardstick, the
// next contender and so on, and a contender's fraction is its speed over the mean of the two
// measurements around it. Medians over the rounds are reported.
namespace boostr::benchmarks {

/// What all benchmarks of one process share.
struct Setup {
  const KernelTable* table = nullptr;  ///< the instruction-set level that is measured
  std::vector<int> threads{1, 2};
  int rounds = 7;
  bool quick = false;  ///< the smaller sizes only

  /// Whether `table` is the one that ops use.
  bool measures_best_level() const { return table == &kernels(cpu_device); }
};

/// What the machine can do at most, measured now: FLOP/s or bytes/s.
using Yardstick = std::function<double()>;

/// Something that runs against the yardstick, and against the others.
struct Contender {
  std::string name;
  double work = 0;  ///< of one run, in the yardstick's unit
  std::function<void()> run;
  /// It has threads of its own: it waits until those of OpenMP sleep, and they for its own.
  bool own_threads = false;
};

/// Seconds of `work()` on so many threads: on one, the time that it ran on a processor, which other
/// programs do not lengthen; on several, by the clock on the wall.
double seconds_of(int threads, const std::function<void()>& work);

/// FLOP/s of independent multiply-adds of `dtype` on all threads of `stream` (which must outlive
/// it).
Yardstick fma_peak(const KernelTable& table, Stream& stream, DType dtype);

/// Runs the rounds of one benchmark on so many threads. Counters of the first contender:
/// "fraction", "rate" (work per second), "ms" of one run; of each other one: "<name>", its
/// fraction, and "over_<name>", how many times as fast the first one is.
void measure(benchmark::State& state, int threads, const Yardstick& yardstick,
             std::span<const Contender> contenders);

/// Registers one benchmark, each iteration of which is a round.
void add_benchmark(const std::string& name, const Setup& setup,
                   std::function<void(benchmark::State&)> body);

/// A tensor and its memory.
struct Array {
  Array(DType dtype, const Shape& shape)
      : memory(std::size_t(shape.numel()) * size_of(dtype)), dtype(dtype), shape(shape) {}
  Out out() const { return {memory.data(), dtype, shape}; }
  In in() const { return out(); }

  Buffer memory;
  DType dtype;
  Shape shape;
};
/// Normally distributed values.
Array normal(DType dtype, const Shape& shape, double std = 1.0);
/// Every element has this value.
Array filled(DType dtype, const Shape& shape, double value);

/// The main function of a benchmark program. Beside the options of Google Benchmark:
///   --level=avx2  measures this instruction-set level instead of the machine's best
///   --rounds=7    of every benchmark
///   --threads=2   this number only
///   --quick       smaller sizes, fewer rounds
/// `reporter`, unless null, gets the results instead of the terminal.
int run_benchmarks(int argc, char** argv, const std::function<void(const Setup&)>& add_all,
                   benchmark::BenchmarkReporter* reporter = nullptr);

}  // namespace boostr::benchmarks
