// Collectives between the processes of one host: on buffers in memory that they share, on private
// buffers (which are copied in and out), and by the MPI library, in the same rounds.
//   mpirun -np 4 comm_bench
// A size is that of the whole vector: what all_reduce reduces, reduce_scatter reads, all_gather
// writes.
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "parallel/comm/mpi.h"
#include "tests/benchmarks/fraction.h"

namespace boostr::benchmarks {
namespace {

/// A whole vector and one rank's piece of it.
struct Buffers {
  Out whole, piece;
};

/// One collective, by us and by the MPI library.
struct Collective {
  const char* name;
  std::function<void(Communicator&, const Buffers&)> ours;
  std::function<void(const Buffers&)> mpi;
};

int count(const Out& buffer) { return static_cast<int>(buffer.shape.numel()); }

std::vector<Collective> collectives() {
  return {
      {"all_reduce",
       [](Communicator& world, const Buffers& b) { world.all_reduce(b.whole).wait(); },
       [](const Buffers& b) {
         MPI_Allreduce(MPI_IN_PLACE, b.whole.data, count(b.whole), MPI_FLOAT, MPI_SUM,
                       MPI_COMM_WORLD);
       }},
      {"reduce_scatter",
       [](Communicator& world, const Buffers& b) { world.reduce_scatter(b.piece, b.whole).wait(); },
       [](const Buffers& b) {
         MPI_Reduce_scatter_block(b.whole.data, b.piece.data, count(b.piece), MPI_FLOAT, MPI_SUM,
                                  MPI_COMM_WORLD);
       }},
      {"all_gather",
       [](Communicator& world, const Buffers& b) { world.all_gather(b.whole, b.piece).wait(); },
       [](const Buffers& b) {
         MPI_Allgather(b.piece.data, count(b.piece), MPI_FLOAT, b.whole.data, count(b.piece),
                       MPI_FLOAT, MPI_COMM_WORLD);
       }},
  };
}

/// Memory for the largest size, shared and private, zero-filled so that sums stay finite.
class Memory {
 public:
  Memory(Communicator& world, std::int64_t max_bytes)
      : ranks_(world.size()),
        shared_{world.allocate_shared(DType::f32, max_bytes / 4),
                world.allocate_shared(DType::f32, max_bytes / 4 / ranks_)},
        whole_(filled(DType::f32, {max_bytes / 4}, 0.0)),
        piece_(filled(DType::f32, {max_bytes / 4 / ranks_}, 0.0)) {}
  Buffers shared(std::int64_t bytes) const { return first_of(shared_, bytes); }
  Buffers private_copy(std::int64_t bytes) const {
    return first_of({whole_.out(), piece_.out()}, bytes);
  }

 private:
  Buffers first_of(const Buffers& all, std::int64_t bytes) const {
    return {{all.whole.data, DType::f32, {bytes / 4}},
            {all.piece.data, DType::f32, {bytes / 4 / ranks_}}};
  }

  int ranks_;
  Buffers shared_;
  Array whole_, piece_;
};

/// Seconds of one run on the slowest rank, the mean of `repetitions`.
double slowest_seconds(Communicator& world, int repetitions, const std::function<void()>& run) {
  world.barrier();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < repetitions; ++i) run();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  double seconds = elapsed.count() / repetitions;
  world.all_reduce({&seconds, DType::f64, {1}}, ReduceOp::max).wait();
  return seconds;
}

void run(benchmark::State& state, Communicator& world, const Memory& memory,
         const Collective& collective, std::int64_t bytes) {
  constexpr double seconds_of_turn = 0.02;
  const Buffers window = memory.shared(bytes), own = memory.private_copy(bytes);
  const std::function<void()> runs[] = {[&] { collective.ours(world, window); },
                                        [&] { collective.ours(world, own); },
                                        [&] { collective.mpi(own); }};
  int repetitions[3];
  for (int i = 0; i < 3; ++i) {
    slowest_seconds(world, 1, runs[i]);  // first touch of memory
    const double seconds = slowest_seconds(world, 2, runs[i]);
    repetitions[i] = std::clamp(static_cast<int>(std::ceil(seconds_of_turn / seconds)), 1, 1000);
  }
  std::vector<double> seconds[3], window_ratios, copy_ratios;
  for (auto _ : state) {
    for (int i = 0; i < 3; ++i)
      seconds[i].push_back(slowest_seconds(world, repetitions[i], runs[i]));
    window_ratios.push_back(seconds[2].back() / seconds[0].back());
    copy_ratios.push_back(seconds[2].back() / seconds[1].back());
    state.SetIterationTime(seconds[0].back());
  }
  state.counters["window_us"] = 1e6 * median(seconds[0]);
  state.counters["copy_us"] = 1e6 * median(seconds[1]);
  state.counters["mpi_us"] = 1e6 * median(seconds[2]);
  state.counters["over_mpi"] = median(window_ratios);
  state.counters["copy_over_mpi"] = median(copy_ratios);
  state.counters["GB_per_s"] = double(bytes) * 1e-9 / median(seconds[0]);
}

std::string size_name(std::int64_t bytes) {
  return bytes < 1 << 20 ? text(bytes >> 10, "KiB") : text(bytes >> 20, "MiB");
}

void add_all(const Setup& setup, Communicator& world, const Memory& memory,
             std::int64_t max_bytes) {
  for (const Collective& collective : collectives()) {
    for (std::int64_t bytes = 1 << 10; bytes <= max_bytes; bytes *= setup.quick ? 64 : 4) {
      add_benchmark(text(collective.name, '/', size_name(bytes), "/ranks:", world.size()), setup,
                    [=, &world, &memory](benchmark::State& state) {
                      run(state, world, memory, collective, bytes);
                    });
    }
  }
}

/// For the ranks that leave the speaking to rank 0.
class Silence final : public benchmark::BenchmarkReporter {
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}
};

int run_all(Communicator& world, int argc, char** argv) {
  constexpr std::int64_t max_bytes = std::int64_t{256} << 20;
  world.set_timeout(std::chrono::minutes(10));
  const Memory memory(world, max_bytes);
  const auto add = [&](const Setup& setup) { add_all(setup, world, memory, max_bytes); };
  if (world.rank() == 0) return run_benchmarks(argc, argv, add);
  const auto* end = std::remove_if(argv, argv + argc, [](std::string_view argument) {
    return argument.starts_with("--benchmark_out");
  });
  Silence silence;
  return run_benchmarks(static_cast<int>(end - argv), argv, add, &silence);
}

}  // namespace
}  // namespace boostr::benchmarks

int main(int argc, char** argv) {
  try {
    const auto world = boostr::mpi_world();
    return boostr::benchmarks::run_all(*world, argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "comm_bench: %s\n", error.what());
    return 1;
  }
}
