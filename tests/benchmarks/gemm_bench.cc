// Speed of matrix multiplication on the shapes of language models and on small and odd ones, as a
// fraction of the peak, beside OpenBLAS, and for 16-bit types beside our own f32.
#include <memory>

#include "tests/benchmarks/blas.h"

namespace boostr::benchmarks {
namespace {

/// The operands of one call and the call on them.
struct Operands {
  Operands(const GemmCall& call, DType dtype)
      : a(normal(dtype, call.a_shape())),
        b(normal(dtype, call.b_shape())),
        c(dtype, call.c_shape()) {}
  Contender contender(const std::string& name, const Setup& setup, Stream& stream,
                      const GemmCall& call) const {
    return {.name = name,
            .work = call.flops(),
            .run =
                [this, gemm = setup.table->gemm, &stream,
                 options = GemmOptions{call.transpose_a, call.transpose_b}] {
                  gemm(stream, c.out(), a.in(), b.in(), {}, options);
                },
            .own_threads = false};
  }

  Array a, b, c;
};

void run_gemm(benchmark::State& state, const Setup& setup, const GemmCall& call, DType dtype,
              int threads) {
  Stream stream(cpu_device, threads);
  const Operands ours(call, dtype);
  std::vector<Contender> contenders{ours.contender("boostr", setup, stream, call)};
  if (auto library = openblas(call, ours.a, ours.b, ours.c, threads))
    contenders.push_back(std::move(*library));
  std::unique_ptr<Operands> wide;
  if (size_of(dtype) == 2) {
    wide = std::make_unique<Operands>(call, DType::f32);
    contenders.push_back(wide->contender("f32", setup, stream, call));
  }
  measure(state, threads, fma_peak(*setup.table, stream, dtype), contenders);
}

void add(const Setup& setup, std::string_view group, std::string_view layout, const GemmCall& call,
         std::span<const DType> dtypes) {
  for (const int threads : setup.threads) {
    for (const DType dtype : dtypes) {
      const std::string batch = call.batch == 1 ? "" : text(call.batch, 'x');
      add_benchmark(text(group, '/', dtype, '/', layout, '/', batch, call.m, 'x', call.n, 'x',
                         call.k, "/threads:", threads),
                    setup,
                    [=](benchmark::State& state) { run_gemm(state, setup, call, dtype, threads); });
    }
  }
}

/// tokens x (outputs x inputs of a linear layer): forward (NT), gradient of the input (NN) and of
/// the weight (TN).
void add_layers(const Setup& setup) {
  struct Layer {
    std::int64_t outputs, inputs;
  };
  constexpr Layer layers[] = {{768, 768},   {3072, 768},  {768, 3072},
                              {2048, 2048}, {5632, 2048}, {32000, 768}};
  constexpr DType dtypes[] = {DType::f32, DType::bf16, DType::f16, DType::f64};
  constexpr DType quick_dtypes[] = {DType::f32, DType::bf16};
  for (const std::int64_t tokens : {512, 2048}) {
    if (setup.quick && tokens > 512) continue;
    for (const auto [outputs, inputs] : layers) {
      const std::span<const DType> types =
          setup.quick ? std::span<const DType>(quick_dtypes) : std::span<const DType>(dtypes);
      add(setup, "gemm", "NT", {tokens, outputs, inputs, false, true}, types);
      add(setup, "gemm", "NN", {tokens, inputs, outputs}, types);
      add(setup, "gemm", "TN", {outputs, inputs, tokens, true, false}, types);
    }
  }
}

void add_small(const Setup& setup) {
  constexpr DType dtypes[] = {DType::f32, DType::bf16};
  for (const std::int64_t rows : {1, 2, 3, 7, 16, 33, 64})
    add(setup, "gemm_few_rows", "NT", {rows, 2048, 768, false, true}, dtypes);
  for (const std::int64_t rank : {8, 16, 32, 64}) {
    add(setup, "gemm_lora", "NT", {2048, rank, 768, false, true}, dtypes);
    add(setup, "gemm_lora", "NT", {2048, 768, rank, false, true}, dtypes);
    add(setup, "gemm_lora", "TN", {rank, 768, 2048, true, false}, dtypes);
  }
  for (const std::int64_t head_dim : {32, 64, 80, 128, 256}) {
    add(setup, "gemm_batched", "NT", {256, 256, head_dim, false, true, 12}, dtypes);
    add(setup, "gemm_batched", "NN", {256, head_dim, 256, false, false, 12}, dtypes);
  }
  for (const std::int64_t odd : {37, 101, 333})
    add(setup, "gemm_odd", "NN", {odd, odd + 2, odd + 4}, dtypes);
}

}  // namespace
}  // namespace boostr::benchmarks

int main(int argc, char** argv) {
  using namespace boostr::benchmarks;
  return run_benchmarks(argc, argv, [](const Setup& setup) {
    add_layers(setup);
    add_small(setup);
  });
}
