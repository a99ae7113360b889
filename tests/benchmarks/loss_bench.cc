// Linear layer and cross entropy fused (forward, and gradients of the input and the weight in one
// sweep) against the three matrix multiplications alone, on all logits at once.
#include "ops/autograd.h"
#include "ops/linear_cross_entropy.h"
#include "tests/benchmarks/fraction.h"

namespace boostr::benchmarks {
namespace {

constexpr std::int64_t tokens = 2048, hidden = 768, vocabulary = 50304;

Tensor random_tensor(DType dtype, const Shape& shape, double std) {
  Tensor tensor = Tensor::empty(shape, dtype);
  kernels(cpu_device)
      .random_normal(current_stream(cpu_device), tensor.out(), {.seed = 1}, {}, 0.0, std);
  return tensor;
}

Tensor random_targets() {
  std::vector<std::int32_t> ids(tokens);
  for (std::int64_t t = 0; t < tokens; ++t)
    ids[t] = static_cast<std::int32_t>(t * 7919 % vocabulary);
  Tensor targets = Tensor::empty({tokens}, DType::i32);
  std::copy(ids.begin(), ids.end(), targets.out().as<std::int32_t>());
  return targets;
}

/// The fused op with its gradients, on its own leaves.
class Fused {
 public:
  explicit Fused(DType dtype)
      : x_(input_leaf(random_tensor(dtype, {tokens, hidden}, 1.0))),
        weight_(input_leaf(random_tensor(dtype, {vocabulary, hidden}, 0.02))),
        targets_(random_targets()) {}
  void run() const { linear_cross_entropy(x_, weight_, targets_, 1.0 / tokens); }
  /// MiB that a run holds at most, without its results.
  double extra_mib() const {
    const std::size_t before = allocator_stats().bytes_in_use;
    reset_peak_memory();
    run();
    const DType acc = accumulator_of(weight_.dtype());
    const std::size_t results =
        std::size_t(x_.numel()) * size_of(x_.dtype()) + std::size_t(weight_.numel()) * size_of(acc);
    return double(allocator_stats().peak_bytes_in_use - before - results) / double(1 << 20);
  }

 private:
  Tensor x_, weight_, targets_;
};

/// The three products alone.
struct Products {
  explicit Products(DType dtype)
      : x(normal(dtype, {tokens, hidden})),
        weight(normal(dtype, {vocabulary, hidden}, 0.02)),
        logits(normal(dtype, {tokens, vocabulary})),
        dx(dtype, x.shape),
        dweight(accumulator_of(dtype), weight.shape) {}
  void run(const Setup& setup) const {
    Stream& stream = current_stream(cpu_device);
    setup.table->gemm(stream, logits.out(), x.in(), weight.in(), {}, {.transpose_b = true});
    setup.table->gemm(stream, dx.out(), logits.in(), weight.in(), {}, {});
    setup.table->gemm(stream, dweight.out(), logits.in(), x.in(), {}, {.transpose_a = true});
  }

  Array x, weight, logits, dx, dweight;
};

void run(benchmark::State& state, const Setup& setup, DType dtype, int threads) {
  set_num_threads(threads);
  const Fused fused(dtype);
  const Products products(dtype);
  fused.run();  // takes the threads' workspace
  constexpr double flops = 3 * 2.0 * tokens * hidden * vocabulary;
  const Contender contenders[] = {
      {"boostr", flops, [&] { fused.run(); }},
      {"gemm", flops, [&] { products.run(setup); }},
  };
  state.counters["extra_MiB"] = fused.extra_mib();
  measure(state, threads, fma_peak(*setup.table, current_stream(cpu_device), dtype), contenders);
}

void add_all(const Setup& setup) {
  if (!setup.measures_best_level()) return;  // ops run at the best level only
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const int threads : setup.threads)
      add_benchmark(text("linear_cross_entropy/", dtype, "/threads:", threads), setup,
                    [=](benchmark::State& state) { run(state, setup, dtype, threads); });
}

}  // namespace
}  // namespace boostr::benchmarks

int main(int argc, char** argv) {
  using namespace boostr::benchmarks;
  return run_benchmarks(argc, argv, add_all);
}
