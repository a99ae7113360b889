#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/build.h"

/// The recipe: what one training run is, as plain structs. Each field's name is its YAML key;
/// reading, checking, printing and documenting them all walk one list of fields (recipe_fields.h).
namespace boostr {

using ModelSection = ModelConfig;

/// One training source. Exactly one of text, jsonl, tokens is set.
struct DataSource {
  std::string text;    ///< glob of plain-text files (.gz and .zst are decompressed)
  std::string jsonl;   ///< glob of JSON Lines files with a "text" string per line (.gz, .zst too)
  std::string tokens;  ///< glob of token files: .u16 .u32 .bin (llm.c, or Megatron's with its .idx)
  double weight = 1.0;  ///< share of the mixture, relative to the other sources
  friend bool operator==(const DataSource&, const DataSource&) = default;
};

struct DataSection {
  std::vector<DataSource> train;
  std::vector<DataSource> validation;  ///< explicit validation sources; otherwise split off train
  double validation_fraction = 0.0;    ///< of each training source's samples, taken from its end
  bool packing = false;  ///< documents packed back to back, attention kept inside a document
  friend bool operator==(const DataSection&, const DataSection&) = default;
};

struct TokenizerSection {
  std::string type = "byte";
  friend bool operator==(const TokenizerSection&, const TokenizerSection&) = default;
};

/// Overrides for the parameters whose name matches a pattern (shell-style `*` and `?`); the first
/// match wins.
struct ParameterGroup {
  std::string pattern;
  double lr_factor = 1.0;
  std::optional<double> weight_decay;
  friend bool operator==(const ParameterGroup&, const ParameterGroup&) = default;
};

struct OptimizerSection {
  std::string name = "AdamW";  ///< AdamW | LAMB | SGD
  double lr = 3e-4;
  std::vector<double> betas = {0.9, 0.95};
  double eps = 1e-8;
  double weight_decay = 0.1;
  bool decay_norms_and_biases =
      false;                      ///< weight decay also on tensors of fewer than two dimensions
  double momentum = 0.9;          ///< SGD
  bool nesterov = false;          ///< SGD
  double max_trust_ratio = 10.0;  ///< LAMB
  bool post_validation = false;   ///< update before the gradient norm is known
  std::vector<ParameterGroup> groups;
  friend bool operator==(const OptimizerSection&, const OptimizerSection&) = default;
};

struct LrScheduleSection {
  std::string decay = "cosine";  ///< constant | linear | cosine | wsd | inverse_sqrt
  std::int64_t warmup_steps = 0;
  double min_lr_factor = 0.1;     ///< lr at the last step, as a fraction of lr
  std::int64_t decay_steps = -1;  ///< wsd: steps of the final decay; -1: a tenth of the run
  friend bool operator==(const LrScheduleSection&, const LrScheduleSection&) = default;
};

struct TrainingSection {
  std::int64_t steps = 1000;
  std::int64_t seq_len = 1024;
  std::int64_t micro_batch_size = 1;  ///< sequences per rank and microbatch
  std::int64_t global_batch_size =
      -1;  ///< sequences per step over all ranks; -1: micro_batch_size * data parallel degree
  double max_norm = 1.0;  ///< gradients are clipped to this global norm; 0: not clipped
  std::uint64_t seed = 1234;
  std::string non_finite = "stop";  ///< stop | skip: what a non-finite loss or gradient does
  double exit_after = 0;            ///< seconds; after that save and exit 75; 0: never
  std::int64_t validation_interval =
      0;  ///< steps between validations; 0: at the end only, if there is validation data
  std::int64_t validation_batches = 16;  ///< global batches per validation at most
  int threads = -1;  ///< OpenMP threads per rank; -1: the cores this rank may use
  friend bool operator==(const TrainingSection&, const TrainingSection&) = default;
};

struct PrecisionSection {
  std::string compute = "bf16";           ///< f32 | bf16 | f16 | f64
  double initial_loss_scale = 65536.0;    ///< f16
  std::int64_t loss_scale_window = 2000;  ///< f16: finite steps before the scale doubles
  friend bool operator==(const PrecisionSection&, const PrecisionSection&) = default;
};

struct ParallelismSection {
  int zero_stage = 0;
  int data_parallel_replicate_degree = 1;
  int data_parallel_shard_degree = -1;
  int tensor_parallel_degree = 1;
  bool sequence_parallel = false;
  int pipeline_parallel_degree = 1;
  std::string pipeline_parallel_schedule = "1f1b";
  int pipeline_parallel_chunks = -1;
  double pipeline_parallel_memory_limit = 1;  ///< auto: peak activations, in multiples of 1f1b's
  std::int64_t bucket_bytes = 25 << 20;  ///< gradients are reduced in buckets of about this size
  std::string offload_path;  ///< folder of the files that hold optimizer state; empty: memory does
  friend bool operator==(const ParallelismSection&, const ParallelismSection&) = default;
};

struct ActivationCheckpointSection {
  std::string mode = "none";   ///< none | selective | full: what the backward computes again
  std::string layers = "all";  ///< or the layers that do, from 0: "0-3,8"
  friend bool operator==(const ActivationCheckpointSection&,
                         const ActivationCheckpointSection&) = default;
};

struct CheckpointSection {
  std::int64_t interval = 0;  ///< steps between checkpoints; 0: none
  int keep_latest_k = 3;
  std::string resume = "auto";  ///< auto | never | a checkpoint's folder
  bool async = true;            ///< write in the background
  friend bool operator==(const CheckpointSection&, const CheckpointSection&) = default;
};

struct MetricsSection {
  std::int64_t interval = 10;  ///< steps between log lines and metrics rows
  double peak_flops = 0;  ///< FLOP/s of one rank that MFU is relative to; 0: measured at start-up
  bool tensorboard = true;
  friend bool operator==(const MetricsSection&, const MetricsSection&) = default;
};

struct CommunicationSection {
  double timeout = 0;  ///< seconds a collective may wait before the run ends with exit code 7; 0:
                       ///< see CollectiveTimeout
  friend bool operator==(const CommunicationSection&, const CommunicationSection&) = default;
};

struct Recipe {
  std::string output;  ///< the run's folder
  ModelSection model;
  DataSection data;
  TokenizerSection tokenizer;
  OptimizerSection optimizer;
  LrScheduleSection lr_schedule;
  TrainingSection training;
  PrecisionSection precision;
  ParallelismSection parallelism;
  ActivationCheckpointSection activation_checkpoint;
  CheckpointSection checkpoint;
  MetricsSection metrics;
  CommunicationSection communication;
  friend bool operator==(const Recipe&, const Recipe&) = default;
};

}  // namespace boostr
