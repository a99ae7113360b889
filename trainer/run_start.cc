#include "trainer/run_start.h"

#include <fmt/format.h>

#include "ops/execution.h"
#include "ops/probe.h"
#include "trainer/metrics/console.h"
#include "trainer/metrics/metrics_log.h"
#include "trainer/metrics/throughput.h"
#include "trainer/trainer.h"

namespace boostr {

MeshDegrees mesh_degrees(const ParallelismSection& section) {
  return {.pipeline = section.pipeline_parallel_degree,
          .replicate = section.data_parallel_replicate_degree,
          .shard = section.data_parallel_shard_degree,
          .tensor = section.tensor_parallel_degree};
}

Recipe with_batch_inferred(Recipe recipe, int data_parallel) {
  TrainingSection& training = recipe.training;
  const std::int64_t round = training.micro_batch_size * data_parallel;
  if (training.global_batch_size < 0) training.global_batch_size = round;
  require(training.global_batch_size % round == 0, ExitCode::usage,
          "training.global_batch_size = ", training.global_batch_size,
          " is not a multiple of training.micro_batch_size = ", training.micro_batch_size,
          " times ", data_parallel, " data-parallel ranks; choose a multiple of ", round);
  return recipe;
}

TrainingSetup::TrainingSetup(const Recipe& as_written, Communicator& world)
    : mesh(world, mesh_degrees(as_written.parallelism)),
      recipe(with_batch_inferred(as_written, mesh.dp().size())),
      tokenizer(make_tokenizer(recipe.tokenizer)),
      dataset(recipe.data, *tokenizer, {recipe.model.llama.vocab_size, recipe.training.seq_len}) {}

double peak_flops(const Recipe& recipe, Communicator& world) {
  if (recipe.metrics.peak_flops > 0) return recipe.metrics.peak_flops;
  world.barrier();  // all ranks load the machine alike
  return measured_peak_flops(dtype_named(recipe.precision.compute));
}

std::string start_json(const StartFacts& facts) {
  return fmt::format(
      R"({{"mesh": {}, "ranks": {}, "parameters": {}, "isa": "{}", "threads": {}, "version": "{}", "resumed_step": {}, "flops_per_token": {}, "peak_flops": {}, "unigram_entropy": {}, "time": {}}})",
      facts.mesh, facts.ranks, facts.parameters, instruction_set(), num_threads(), facts.version,
      facts.resumed_step, json_number(facts.flops_per_token), json_number(facts.peak_flops),
      json_number(facts.unigram_entropy), json_number(unix_time()));
}

std::vector<std::string> start_lines(const StartFacts& facts, const Recipe& recipe,
                                     const Dataset& dataset) {
  std::vector<std::string> lines;
  const TrainingSection& training = recipe.training;
  lines.push_back(fmt::format("boostr {}: {} with {}, {}, {} x {}, {}", facts.version,
                              recipe.model.type, counted(facts.parameters, "parameter"),
                              recipe.precision.compute, counted(facts.ranks, "rank"),
                              counted(num_threads(), "thread"), instruction_set()));
  for (const SourceReport& source : dataset.report())
    lines.push_back(fmt::format("data: {} | {}, {}, {} training and {} validation samples",
                                source.name, counted(source.files, "file"),
                                counted(source.tokens, "token"), grouped(source.training_samples),
                                grouped(source.validation_samples)));
  lines.push_back(fmt::format("{} steps of {} x {} tokens | unigram entropy {:.4f} nats per token",
                              grouped(training.steps), grouped(training.global_batch_size),
                              grouped(training.seq_len), facts.unigram_entropy));
  lines.push_back(
      fmt::format("MFU = {:.3g} FLOP per token (6 per parameter, 12 per visible query-key pair, "
                  "layer and width) x tokens/s / {:.4g} FLOP/s {}",
                  facts.flops_per_token, facts.peak_flops,
                  recipe.metrics.peak_flops > 0 ? "given" : "measured"));
  return lines;
}

}  // namespace boostr
