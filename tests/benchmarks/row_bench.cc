// Kernels that go once over their data: norms, rotary embedding, sums, casts, activations. They are
// bound by memory, and measured against what the threads reach when they move the same bytes and do
// nothing else. Where memory is fast, kernels with exponentials or conversions are bound by
// instructions: they are measured against whichever would take longer, moving the bytes or as many
// multiply-adds as they need instructions.
#include "tests/benchmarks/bandwidth.h"

namespace boostr::benchmarks {
namespace {

/// Vector instructions per vector of elements, of the shortest sequence that we know.
struct Cost {
  /// An exponential takes 12 (2 to round, 2 to reduce, 6 of the polynomial, 2 to scale), a division
  /// 4 (an approximation and a step of Newton's).
  int arithmetic = 0;
  /// Vectors of elements, which may need conversion. A row that is gone over twice does not fit
  /// into the registers and is loaded twice.
  int loads = 0, stores = 0;
};

/// One call of a kernel.
struct Job {
  Traffic traffic;
  std::function<void()> run;
  Cost cost;
};

/// What the conversions of 16-bit types add: 1 to widen bf16 (a shift for the even elements of two
/// vectors, a mask for the odd ones), 1 to round it where the instruction set can, else 5 (tie, two
/// sums, NaN, two to join two vectors); 1 each for f16.
int instructions(const Cost& cost, DType dtype, std::string_view level) {
  const bool rounds_bf16 = level == "avx512_bf16" || level == "avx512_amx";
  if (dtype == DType::bf16)
    return cost.arithmetic + cost.loads + (rounds_bf16 ? 1 : 5) * cost.stores;
  return cost.arithmetic + (dtype == DType::f16 ? cost.loads + cost.stores : 0);
}

/// What jobs are made of.
struct Context {
  const KernelTable& table;
  Stream& stream;
  DType dtype;
  Shape shape;  ///< rows x columns

  Array data() const { return normal(dtype, shape); }
  Array row() const { return normal(dtype, {shape.back()}); }
  Array statistic() const { return filled(accumulator_of(dtype), {shape.rows()}, 1.0); }
};

using MakeJob = std::function<Job(const Context&)>;

Job rms_norm(const Context& c) {
  const Array x = c.data(), y = c.data(), weight = c.row(), rstd = c.statistic();
  return {{{x.in()}, {y.out()}, {}},
          [=] { c.table.rms_norm(c.stream, y.out(), rstd.out(), x.in(), weight.in(), 1e-5); },
          {3, 3, 1}};
}

Job rms_norm_grad_x(const Context& c) {
  const Array x = c.data(), dy = c.data(), dx = c.data(), weight = c.row(), rstd = c.statistic();
  return {
      {{x.in(), dy.in()}, {dx.out()}, {}},
      [=] { c.table.rms_norm_grad_x(c.stream, dx.out(), dy.in(), x.in(), weight.in(), rstd.in()); },
      {6, 6, 1}};
}

Job rms_norm_grad_weight(const Context& c) {
  const Array x = c.data(), dy = c.data(), rstd = c.statistic();
  const Array dweight = filled(accumulator_of(c.dtype), {c.shape.back()}, 0.0);
  return {{{x.in(), dy.in()}, {}, {}},
          [=] {
            c.table.rms_norm_grad_weight(c.stream, dweight.out(), dy.in(), x.in(), rstd.in(), true);
          },
          {2, 2, 0}};
}

Job layer_norm(const Context& c) {
  const Array x = c.data(), y = c.data(), weight = c.row(), bias = c.row();
  const Array mean = c.statistic(), rstd = c.statistic();
  return {{{x.in()}, {y.out()}, {}},
          [=] {
            c.table.layer_norm(c.stream, y.out(), mean.out(), rstd.out(), x.in(), weight.in(),
                               bias.in(), 1e-5);
          },
          {6, 5, 1}};
}

Job layer_norm_grad_x(const Context& c) {
  const Array x = c.data(), dy = c.data(), dx = c.data(), weight = c.row();
  const Array mean = c.statistic(), rstd = c.statistic();
  return {{{x.in(), dy.in()}, {dx.out()}, {}},
          [=] {
            c.table.layer_norm_grad_x(c.stream, dx.out(), dy.in(), x.in(), weight.in(), mean.in(),
                                      rstd.in());
          },
          {9, 6, 1}};
}

/// Heads of 64 dimensions, one sequence.
Job rope(const Context& c) {
  constexpr std::int64_t head_dim = 64;
  const Shape heads{1, c.shape.rows(), c.shape.back() / head_dim, head_dim};
  const Array x = normal(c.dtype, heads), y = normal(c.dtype, heads);
  const Array cosines = normal(accumulator_of(c.dtype), {c.shape.rows(), head_dim / 2});
  const Array sines = normal(accumulator_of(c.dtype), {c.shape.rows(), head_dim / 2});
  return {{{x.in(), cosines.in(), sines.in()}, {y.out()}, {}},
          [=] { c.table.rope(c.stream, y.out(), x.in(), cosines.in(), sines.in(), {}); },
          {2, 1, 1}};
}

Job add(const Context& c) {
  const Array a = c.data(), b = c.data(), y = c.data();
  return {{{a.in(), b.in()}, {y.out()}, {}},
          [=] { c.table.add(c.stream, y.out(), a.in(), b.in()); },
          {1, 2, 1}};
}

/// y += 0.5 x.
Job axpy(const Context& c) {
  const Array x = c.data(), y = filled(c.dtype, c.shape, 0.0);
  return {
      {{x.in()}, {}, {y.out()}}, [=] { c.table.axpy(c.stream, y.out(), x.in(), 0.5); }, {1, 2, 1}};
}

/// From f32 to bf16, from the other types to f32.
Job cast(const Context& c) {
  const Array x = c.data();
  const Array y = normal(c.dtype == DType::f32 ? DType::bf16 : DType::f32, c.shape);
  return {{{x.in()}, {y.out()}, {}}, [=] { c.table.cast(c.stream, y.out(), x.in()); }, {}};
}

/// Maximum 1, difference 1, exponential 12, sum 1, factor 1.
Job softmax(const Context& c) {
  const Array x = c.data(), y = c.data();
  return {
      {{x.in()}, {y.out()}, {}}, [=] { c.table.softmax(c.stream, y.out(), x.in()); }, {16, 2, 1}};
}

Job softmax_grad(const Context& c) {
  const Array y = c.data(), dy = c.data(), dx = c.data();
  return {{{y.in(), dy.in()}, {dx.out()}, {}},
          [=] { c.table.softmax_grad(c.stream, dx.out(), dy.in(), y.in()); },
          {3, 4, 1}};
}

/// silu(gate) up: exponential 12, sum 1, division 4, products 2.
Job swiglu(const Context& c) {
  const Array gate = c.data(), up = c.data(), y = c.data();
  return {
      {{gate.in(), up.in()}, {y.out()}, {}},
      [=] { c.table.gated_activation(c.stream, y.out(), gate.in(), up.in(), Activation::silu); },
      {19, 2, 1}};
}

/// The sigmoid 17, its complement 1, slope 2, the two gradients 3.
Job swiglu_grad(const Context& c) {
  const Array gate = c.data(), up = c.data(), dy = c.data(), dgate = c.data(), dup = c.data();
  return {{{gate.in(), up.in(), dy.in()}, {dgate.out(), dup.out()}, {}},
          [=] {
            c.table.gated_activation_grad(c.stream, dgate.out(), dup.out(), dy.in(), gate.in(),
                                          up.in(), Activation::silu);
          },
          {23, 3, 2}};
}

/// tanh approximation: inner polynomial 3, sigmoid 17, product 1.
Job gelu_tanh(const Context& c) {
  const Array x = c.data(), y = c.data();
  return {{{x.in()}, {y.out()}, {}},
          [=] { c.table.activation(c.stream, y.out(), x.in(), Activation::gelu_tanh); },
          {21, 1, 1}};
}

Job sum_rows(const Context& c) {
  const Array x = c.data(), y = filled(accumulator_of(c.dtype), {c.shape.back()}, 0.0);
  return {
      {{x.in()}, {}, {}}, [=] { c.table.sum_rows(c.stream, y.out(), x.in(), true); }, {1, 1, 0}};
}

/// In f64: both halves widened and added.
Job sum_squares(const Context& c) {
  const std::int64_t chunks = (c.shape.numel() + norm_chunk - 1) / norm_chunk;
  const Array x = c.data(), partials = filled(DType::f64, {chunks}, 0.0);
  return {{{x.in()}, {}, {}},
          [=] { c.table.sum_squares(c.stream, partials.out(), x.in(), 1.0); },
          {5, 1, 0}};
}

Job all_finite(const Context& c) {
  const Array x = c.data(), flag(DType::i32, {});
  return {{{x.in()}, {}, {}}, [=] { c.table.all_finite(c.stream, flag.out(), x.in()); }, {1, 1, 0}};
}

/// |x| 1, scaling 1, 1 / (1 + z / 2) 5, polynomial 9, exponent 1, exponential 12, products and the
/// sign's choice 5.
Job gelu(const Context& c) {
  const Array x = c.data(), y = c.data();
  return {{{x.in()}, {y.out()}, {}},
          [=] { c.table.activation(c.stream, y.out(), x.in(), Activation::gelu); },
          {34, 1, 1}};
}

void run(benchmark::State& state, const Setup& setup, const MakeJob& make, DType dtype,
         const Shape& shape, int threads) {
  Stream stream(cpu_device, threads);
  const Job job = make({*setup.table, stream, dtype, shape});
  const double bytes = job.traffic.bytes();
  const double flops =
      2.0 * instructions(job.cost, dtype, setup.table->level) * double(shape.numel());
  const Yardstick memory = bandwidth(stream, job.traffic);
  const Yardstick peak = fma_peak(*setup.table, stream, DType::f32);
  const bool instructions_limit = flops / peak() > bytes / memory();
  state.SetLabel(instructions_limit ? "instructions" : "memory");
  measure(state, threads, instructions_limit ? peak : memory,
          std::vector{Contender{"boostr", instructions_limit ? flops : bytes, job.run}});
  state.counters["GB_per_s"] = bytes * 1e-6 / state.counters["ms"];
}

void add_all(const Setup& setup) {
  const std::pair<const char*, MakeJob> jobs[] = {{"rms_norm", rms_norm},
                                                  {"rms_norm_grad_x", rms_norm_grad_x},
                                                  {"rms_norm_grad_weight", rms_norm_grad_weight},
                                                  {"layer_norm", layer_norm},
                                                  {"layer_norm_grad_x", layer_norm_grad_x},
                                                  {"rope", rope},
                                                  {"add", add},
                                                  {"axpy", axpy},
                                                  {"cast", cast},
                                                  {"sum_rows", sum_rows},
                                                  {"sum_squares", sum_squares},
                                                  {"all_finite", all_finite},
                                                  {"softmax_grad", softmax_grad},
                                                  {"softmax", softmax},
                                                  {"swiglu", swiglu},
                                                  {"swiglu_grad", swiglu_grad},
                                                  {"gelu_tanh", gelu_tanh},
                                                  {"gelu", gelu}};
  for (const auto& [name, make] : jobs) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      const std::int64_t rows_of_64_mib = (64 << 20) / (4096 * std::int64_t(size_of(dtype)));
      const std::pair<const char*, Shape> sizes[] = {{"2048x768", {2048, 768}},
                                                     {"2048x4096", {2048, 4096}},
                                                     {"64MiB", {rows_of_64_mib, 4096}}};
      for (const auto& [size, shape] : sizes) {
        for (const int threads : setup.threads) {
          add_benchmark(text(name, '/', dtype, '/', size, "/threads:", threads), setup,
                        [=, make = make, shape = shape](benchmark::State& state) {
                          run(state, setup, make, dtype, shape, threads);
                        });
        }
      }
    }
  }
}

}  // namespace
}  // namespace boostr::benchmarks

int main(int argc, char** argv) {
  using namespace boostr::benchmarks;
  return run_benchmarks(argc, argv, add_all);
}
