#include "tests/benchmarks/fraction.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string_view>
#include <thread>

namespace boostr::benchmarks {
namespace {

constexpr double seconds_of_turn = 0.02;
constexpr double seconds_of_yardstick = 0.004;
/// Longer than the threads of OpenMP and of OpenBLAS spin before they sleep.
constexpr std::chrono::milliseconds until_threads_sleep(60);

/// A contender and what was measured of it.
struct Entry {
  Entry(int threads, const Contender& contender) : threads(threads), contender(contender) {
    contender.run();  // first touch of memory
    const double seconds =
        std::min(seconds_of(threads, contender.run), seconds_of(threads, contender.run));
    repetitions = std::clamp(static_cast<int>(std::ceil(seconds_of_turn / seconds)), 1, 100000);
  }
  double turn() const {
    if (contender.own_threads) std::this_thread::sleep_for(until_threads_sleep);
    const double seconds = seconds_of(threads, [&] {
      for (int i = 0; i < repetitions; ++i) contender.run();
    });
    if (contender.own_threads) std::this_thread::sleep_for(until_threads_sleep);
    return seconds / repetitions;
  }

  int threads;
  const Contender& contender;
  int repetitions = 1;
  std::vector<double> seconds, fractions;
};

void report(benchmark::State& state, const std::vector<Entry>& entries) {
  const Entry& first = entries.front();
  state.counters["fraction"] = median(first.fractions);
  state.counters["rate"] = first.contender.work / median(first.seconds);
  state.counters["ms"] = 1e3 * median(first.seconds);
  for (const Entry& other : std::span(entries).subspan(1)) {
    std::vector<double> ratios;
    for (std::size_t round = 0; round < other.seconds.size(); ++round)
      ratios.push_back(other.seconds[round] / first.seconds[round]);
    state.counters[other.contender.name] = median(other.fractions);
    state.counters["over_" + other.contender.name] = median(ratios);
  }
}

Array made(DType dtype, const Shape& shape, const auto& fill) {
  Array array(dtype, shape);
  Stream stream;
  fill(stream, array.out());
  return array;
}

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

/// Takes "--name=value" if `argument` is that.
bool take(std::string_view argument, std::string_view name, std::string& value) {
  if (!argument.starts_with(name)) return false;
  value = argument.substr(name.size());
  return true;
}

const KernelTable* level_named(const std::string& name) {
  for (const KernelTable* table : runnable_levels(cpu_device))
    if (name == table->level) return table;
  std::fprintf(stderr, "--level=%s: this build or this processor does not have it\n", name.c_str());
  std::exit(2);
}

/// Reads our options and removes them.
Setup parse(int& argc, char** argv) {
  Setup setup{.table = &kernels(cpu_device)};
  int kept = 1;
  std::string value;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (take(argument, "--level=", value)) {
      setup.table = level_named(value);
    } else if (take(argument, "--rounds=", value)) {
      setup.rounds = std::stoi(value);
    } else if (take(argument, "--threads=", value)) {
      setup.threads = {std::stoi(value)};
    } else if (argument == "--quick") {
      setup.quick = true;
      setup.rounds = 3;
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  return setup;
}

}  // namespace

double seconds_of(int threads, const std::function<void()>& work) {
  const auto now = [clock = threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC] {
    timespec time{};
    clock_gettime(clock, &time);
    return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
  };
  const double start = now();
  work();
  return now() - start;
}

Yardstick fma_peak(const KernelTable& table, Stream& stream, DType dtype) {
  const auto probe = [&table, &stream, dtype](std::int64_t rounds) {
    double flops = 0;
    const double seconds =
        seconds_of(stream.num_threads(), [&] { flops = table.peak_probe(stream, dtype, rounds); });
    return flops / seconds;
  };
  double fastest = 0;  // of several, or a disturbed one would make every later measurement short
  for (int i = 0; i < 5; ++i) fastest = std::max(fastest, probe(32));
  const double flops = table.peak_probe(stream, dtype, 1);
  const auto rounds = static_cast<std::int64_t>(seconds_of_yardstick * fastest / flops) + 1;
  return [=] { return probe(rounds); };
}

void measure(benchmark::State& state, int threads, const Yardstick& yardstick,
             std::span<const Contender> contenders) {
  std::vector<Entry> entries;
  for (const Contender& contender : contenders) entries.emplace_back(threads, contender);
  double before = yardstick();
  for (auto _ : state) {
    for (Entry& entry : entries) {
      const double seconds = entry.turn();
      const double after = yardstick();
      entry.seconds.push_back(seconds);
      entry.fractions.push_back(entry.contender.work / seconds / (0.5 * (before + after)));
      before = after;
    }
    state.SetIterationTime(entries.front().seconds.back());
  }
  report(state, entries);
}

void add_benchmark(const std::string& name, const Setup& setup,
                   std::function<void(benchmark::State&)> body) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [body = std::move(body)](benchmark::State& state) {
                                 release_cached_memory();
                                 body(state);
                               })
      ->Iterations(setup.rounds)
      ->UseManualTime();
}

Array normal(DType dtype, const Shape& shape, double std) {
  return made(dtype, shape, [&](Stream& stream, Out y) {
    kernels(cpu_device).random_normal(stream, y, {.seed = 1}, {}, 0.0, std);
  });
}

Array filled(DType dtype, const Shape& shape, double value) {
  return made(dtype, shape,
              [&](Stream& stream, Out y) { kernels(cpu_device).fill(stream, y, value); });
}

int run_benchmarks(int argc, char** argv, const std::function<void(const Setup&)>& add_all,
                   benchmark::BenchmarkReporter* reporter) {
  const Setup setup = parse(argc, argv);
  benchmark::AddCustomContext("cpu", cpu_name());
  benchmark::AddCustomContext("level", setup.table->level);
  benchmark::AddCustomContext("rounds", std::to_string(setup.rounds));
  add_all(setup);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks(reporter);
  benchmark::Shutdown();
  return 0;
}

}  // namespace boostr::benchmarks
