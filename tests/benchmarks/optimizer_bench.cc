// The optimizers' passes over 124 M parameters, clipping and unscaling included, with f32 weights
// and with a bf16 copy written back, against the floor of their bytes.
#include "tests/benchmarks/bandwidth.h"

namespace boostr::benchmarks {
namespace {

constexpr std::int64_t parameters = 124'000'000, tensors = 16;

/// The state of all parameters, each kind in one piece of memory that the tensors are cut from;
/// `param` is empty where the master weights are the weights.
struct State {
  explicit State(bool has_copy)
      : master(filled(DType::f32, {parameters}, 0.01)),
        exp_avg(filled(DType::f32, {parameters}, 0.01)),
        exp_avg_sq(filled(DType::f32, {parameters}, 0.01)),
        grad(filled(DType::f32, {parameters}, 0.01)),
        param(filled(DType::bf16, {has_copy ? parameters : 0}, 0.01)) {
    for (std::int64_t i = 0; i < tensors; ++i)
      slices.push_back({.master = part(master, i),
                        .exp_avg = part(exp_avg, i),
                        .exp_avg_sq = part(exp_avg_sq, i),
                        .param = has_copy ? part(param, i) : Out{},
                        .grad = part(grad, i),
                        .lr = 1e-6,
                        .weight_decay = 0.1});
  }
  static Out part(const Array& all, std::int64_t i) {
    constexpr std::int64_t count = parameters / tensors;
    auto* first = static_cast<std::byte*>(all.out().data) + i * count * size_of(all.dtype);
    return {first, all.dtype, {count}};
  }
  std::vector<Out> copy() const {
    return param.shape.numel() > 0 ? std::vector{param.out()} : std::vector<Out>{};
  }

  Array master, exp_avg, exp_avg_sq, grad, param;
  std::vector<OptimizerSlice> slices;
};

/// What is measured, and the passes over memory that it cannot do without.
struct Pass {
  std::vector<Traffic> floor;
  std::function<void()> run;
};
using MakePass = std::function<Pass(const Setup&, Stream&, const State&)>;

Pass adamw(const Setup& setup, Stream& stream, const State& s) {
  const Traffic traffic{
      {s.grad.in()}, s.copy(), {s.master.out(), s.exp_avg.out(), s.exp_avg_sq.out()}};
  return {{traffic},
          [&] { setup.table->adamw(stream, s.slices, {.grad_factor = 0.5, .step = 2}); }};
}

/// From one copy of the state to another, as with optimizer.post_validation.
Pass adamw_on_trial(const Setup& setup, Stream& stream, const State& s) {
  const auto next = std::make_shared<State>(s.param.shape.numel() > 0);
  for (std::size_t i = 0; i < next->slices.size(); ++i) {
    OptimizerSlice& slice = next->slices[i];
    slice.grad = s.slices[i].grad;
    slice.old_master = s.slices[i].master;
    slice.old_exp_avg = s.slices[i].exp_avg;
    slice.old_exp_avg_sq = s.slices[i].exp_avg_sq;
  }
  std::vector<Out> written = next->copy();
  for (const Array* array : {&next->master, &next->exp_avg, &next->exp_avg_sq})
    written.push_back(array->out());
  const Traffic traffic{
      {s.grad.in(), s.master.in(), s.exp_avg.in(), s.exp_avg_sq.in()}, written, {}};
  return {{traffic},
          [&, next] { setup.table->adamw(stream, next->slices, {.grad_factor = 0.5, .step = 2}); }};
}

/// The moments and norms, then the weights.
Pass lamb(const Setup& setup, Stream& stream, const State& s) {
  const Traffic first{{s.grad.in(), s.master.in()}, {}, {s.exp_avg.out(), s.exp_avg_sq.out()}};
  const Traffic second{{s.exp_avg.in(), s.exp_avg_sq.in()}, s.copy(), {s.master.out()}};
  std::int64_t chunks = 0;
  for (const OptimizerSlice& slice : s.slices)
    chunks += num_norm_chunks(slice.master.shape.numel());
  const Array norms = filled(DType::f64, {2 * chunks}, 0.0);
  return {{first, second}, [&, norms] {
            const AdamWStep step{.grad_factor = 0.5, .step = 2};
            const std::vector<double> trust(tensors, 1.0);
            setup.table->lamb_moments(stream, s.slices, step, norms.out());
            setup.table->lamb_apply(stream, s.slices, step, trust);
          }};
}

Pass sgd(const Setup& setup, Stream& stream, const State& s) {
  const Traffic traffic{{s.grad.in()}, s.copy(), {s.master.out(), s.exp_avg.out()}};
  return {{traffic}, [&] {
            setup.table->sgd(stream, s.slices, {.momentum = 0.9, .grad_factor = 0.5, .step = 2});
          }};
}

/// The norm of the gradient, for clipping.
Pass grad_norm(const Setup& setup, Stream& stream, const State& s) {
  const Traffic traffic{{s.grad.in()}, {}, {}};
  const Array partials = filled(DType::f64, {num_norm_chunks(parameters)}, 0.0);
  return {{traffic},
          [&, partials] { setup.table->sum_squares(stream, partials.out(), s.grad.in(), 0.5); }};
}

double bytes_of(const Pass& pass) {
  double bytes = 0;
  for (const Traffic& traffic : pass.floor) bytes += traffic.bytes();
  return bytes;
}

/// Bytes per second of the passes one behind another.
Yardstick bandwidth_of(Stream& stream, const Pass& pass) {
  std::vector<std::pair<double, Yardstick>> parts;
  for (const Traffic& traffic : pass.floor)
    parts.emplace_back(traffic.bytes(), bandwidth(stream, traffic));
  return [parts, bytes = bytes_of(pass)] {
    double seconds = 0;
    for (const auto& [part_bytes, yardstick] : parts) seconds += part_bytes / yardstick();
    return bytes / seconds;
  };
}

void run(benchmark::State& state, const Setup& setup, const MakePass& make, bool has_copy,
         int threads) {
  Stream stream(cpu_device, threads);
  const State all(has_copy);
  const Pass pass = make(setup, stream, all);
  const Contender contender{
      .name = "boostr", .work = bytes_of(pass), .run = pass.run, .own_threads = false};
  measure(state, threads, bandwidth_of(stream, pass), {&contender, 1});
  state.counters["over_floor"] = 1.0 / state.counters["fraction"];
}

void add_all(const Setup& setup) {
  const std::pair<const char*, MakePass> passes[] = {{"adamw", adamw},
                                                     {"adamw_on_trial", adamw_on_trial},
                                                     {"lamb", lamb},
                                                     {"sgd", sgd},
                                                     {"grad_norm", grad_norm}};
  for (const auto& [name, make] : passes) {
    for (const bool has_copy : {false, true}) {
      if (has_copy && std::string_view(name) == "grad_norm") continue;
      for (const int threads : setup.threads)
        add_benchmark(text(name, has_copy ? "/f32+bf16" : "/f32", "/threads:", threads), setup,
                      [=, make = make](benchmark::State& state) {
                        run(state, setup, make, has_copy, threads);
                      });
    }
  }
}

}  // namespace
}  // namespace boostr::benchmarks

int main(int argc, char** argv) {
  using namespace boostr::benchmarks;
  return run_benchmarks(argc, argv, add_all);
}
