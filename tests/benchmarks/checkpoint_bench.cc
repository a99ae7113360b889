// How long a save blocks the training thread, as a fraction of a synchronous save: weights and
// AdamW's moments of a GPT-2-124M-sized model, 1.5 GiB.
//   checkpoint_bench [folder] [rounds]
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>

#include "kernels/runtime/buffer.h"
#include "parallel/comm/self.h"
#include "tests/benchmarks/quantile.h"
#include "trainer/checkpoint/checkpoint_writer.h"

namespace boostr::benchmarks {
namespace {

constexpr std::int64_t layers = 12, hidden = 768, intermediate = 2048, vocabulary = 50304;

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The tensors of one rank that holds the whole model, and their memory.
struct State {
  std::vector<CheckpointTensor> tensors;
  std::vector<Buffer> memory;

  void add(const std::string& group, const std::string& name, const Shape& shape) {
    memory.emplace_back(static_cast<std::size_t>(shape.numel()) * sizeof(float));
    std::fill_n(reinterpret_cast<float*>(memory.back().data()), shape.numel(),
                static_cast<float>(memory.size()));
    tensors.push_back({group, name, shape, std::vector<std::int64_t>(shape.num_dims(), 0),
                       Out{memory.back().data(), DType::f32, shape}});
  }
  void add_group(const std::string& group) {
    add(group, "model.embed_tokens.weight", {vocabulary, hidden});
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      const std::string prefix = fmt::format("model.layers.{}.", layer);
      for (const char* name : {"q_proj", "k_proj", "v_proj", "o_proj"})
        add(group, prefix + "self_attn." + name + ".weight", {hidden, hidden});
      for (const char* name : {"gate_proj", "up_proj"})
        add(group, prefix + "mlp." + name + ".weight", {intermediate, hidden});
      add(group, prefix + "mlp.down_proj.weight", {hidden, intermediate});
    }
    add(group, "lm_head.weight", {vocabulary, hidden});
  }
  State() {
    for (const char* group : {"parameters", "optimizer/exp_avg", "optimizer/exp_avg_sq"})
      add_group(group);
  }
};

void run(const std::filesystem::path& folder, int rounds) {
  const State state;
  const auto world = self_world();
  CheckpointWriter writer(
      *world,
      {.folder = folder, .keep_latest_k = 1, .code_version = "benchmark", .files = FileOps()});
  writer.reserve(state.tensors);
  std::vector<double> synchronous, begins, commits;
  TrainingState at;
  for (int round = 0; round < rounds; ++round) {
    ++at.step;
    synchronous.push_back(seconds_of([&] { writer.save(state.tensors, at); }));
    writer.wait();  // for the removal of the older one
    ++at.step;
    begins.push_back(seconds_of([&] { writer.begin(state.tensors, at); }));
    while (!writer.done()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    commits.push_back(seconds_of([&] { writer.commit(); }));
    writer.wait();
    fmt::print("save {:.3f} s | begin {:.4f} s, commit {:.4f} s: {:.1f} % of it\n",
               synchronous.back(), begins.back(), commits.back(),
               100 * (begins.back() + commits.back()) / synchronous.back());
  }
  const double blocked = median(begins) + median(commits);
  fmt::print(
      "median: a synchronous save takes {:.3f} s, one in the background blocks {:.4f} s: {:.1f} "
      "%\n",
      median(synchronous), blocked, 100 * blocked / median(synchronous));
}

}  // namespace
}  // namespace boostr::benchmarks

int main(int argc, char** argv) {
  const std::filesystem::path folder = argc > 1 ? argv[1] : "runs/checkpoint_bench";
  boostr::benchmarks::run(folder / "checkpoints", argc > 2 ? std::atoi(argv[2]) : 5);
  std::filesystem::remove_all(folder);
}
