// Flash attention forward and backward as a fraction of the FMA peak of its arithmetic type (f32),
// counting only visible pairs of query and key: two products of head_dim multiply-adds each forward
// and five backward.
#include <algorithm>

#include "tests/benchmarks/fraction.h"

namespace boostr::benchmarks {
namespace {

struct Case {
  std::int64_t sequence, head_dim;
  std::int64_t shared;  ///< query heads per key/value head
  bool causal;
  std::int64_t window;

  static constexpr std::int64_t heads = 4;
  double visible_pairs() const {
    double pairs = 0;
    for (std::int64_t query = 0; query < sequence; ++query) {
      const std::int64_t keys = causal ? query + 1 : sequence;
      pairs += double(window > 0 ? std::min(keys, window) : keys);
    }
    return pairs * heads;
  }
  AttentionOptions options() const { return {.scale = 0.125, .causal = causal, .window = window}; }
  std::string name() const {
    return text("S", sequence, "/D", head_dim, "/GQA", shared, causal ? "/causal" : "/full",
                window > 0 ? text("/window", window) : "");
  }
};

struct Tensors {
  Tensors(const Case& c, DType dtype)
      : q(normal(dtype, {1, c.sequence, Case::heads, c.head_dim})),
        k(normal(dtype, {1, c.sequence, Case::heads / c.shared, c.head_dim})),
        v(normal(dtype, k.shape)),
        out(dtype, q.shape),
        dout(normal(dtype, q.shape)),
        dq(dtype, q.shape),
        dk(dtype, k.shape),
        dv(dtype, k.shape),
        lse(accumulator_of(dtype), {1, Case::heads, c.sequence}) {}
  AttentionSaved saved() const { return {q.in(), k.in(), v.in(), {}, out.in(), lse.in()}; }

  Array q, k, v, out, dout, dq, dk, dv, lse;
};

void run(benchmark::State& state, const Setup& setup, const Case& c, DType dtype, bool backward,
         int threads) {
  Stream stream(cpu_device, threads);
  const Tensors t(c, dtype);
  const auto forward_pass = [&] {
    setup.table->attention(stream, t.out.out(), t.lse.out(), t.q.in(), t.k.in(), t.v.in(), {},
                           c.options());
  };
  const auto backward_pass = [&] {
    setup.table->attention_grad(stream, t.dq.out(), t.dk.out(), t.dv.out(), t.dout.in(), t.saved(),
                                c.options());
  };
  const Yardstick peak = fma_peak(*setup.table, stream, accumulator_of(dtype));
  forward_pass();  // what the backward reads
  const double flops = (backward ? 10.0 : 4.0) * double(c.head_dim) * c.visible_pairs();
  const Contender contender{.name = "boostr",
                            .work = flops,
                            .run = backward ? std::function<void()>(backward_pass) : forward_pass,
                            .own_threads = false};
  measure(state, threads, peak, {&contender, 1});
}

void add_all(const Setup& setup) {
  std::vector<Case> cases;
  for (const std::int64_t sequence : {1024, 4096}) {
    if (setup.quick && sequence > 1024) continue;
    for (const std::int64_t head_dim : {64, 128}) {
      for (const std::int64_t shared : {1, 4})
        cases.push_back({sequence, head_dim, shared, true, 0});
      cases.push_back({sequence, head_dim, 1, true, 256});
      cases.push_back({sequence, head_dim, 1, false, 0});
    }
  }
  for (const bool backward : {false, true})
    for (const DType dtype : {DType::f32, DType::bf16})
      for (const int threads : setup.threads)
        for (const Case& c : cases)
          add_benchmark(text(backward ? "attention_backward/" : "attention_forward/", dtype, '/',
                             c.name(), "/threads:", threads),
                        setup, [=](benchmark::State& state) {
                          run(state, setup, c, dtype, backward, threads);
                        });
}

}  // namespace
}  // namespace boostr::benchmarks

int main(int argc, char** argv) {
  using namespace boostr::benchmarks;
  return run_benchmarks(argc, argv, add_all);
}
