#pragma once

#include "models/config_field.h"
#include "models/llama_fields.h"
#include "trainer/recipe.h"

/// The recipe's table: one row per key. Reading, checking, printing, overrides, the JSON Schema and
/// docs/recipe.md all walk it, so a key is added here and in recipe.h and nowhere else.
namespace boostr {

inline constexpr double max_count = 9007199254740992.0;  ///< 2^53: exact in every number format
inline constexpr double max_batch = 1 << 24;

template <FieldsOf<ModelSection> C>
void fields(C& c, auto&& field) {
  field({.key = "type",
         .doc = "model family",
         .choices = {"llama"},
         .absent = {.values = {"mamba2", "hybrid", "moe"}, .what = "such model"}},
        c.type);
  fields(c.llama, field);
}

template <FieldsOf<DataSource> C>
void fields(C& c, auto&& field) {
  field({.key = "text",
         .doc = "plain-text files (glob; .gz and .zst are decompressed)",
         .nullable = true},
        c.text);
  field({.key = "jsonl",
         .doc = "JSON Lines files with a \"text\" string per line (glob; .gz, .zst)",
         .nullable = true},
        c.jsonl);
  field({.key = "tokens",
         .doc = "token files: .u16, .u32, .bin of llm.c, or Megatron's .bin beside its .idx (glob)",
         .nullable = true},
        c.tokens);
  field({.key = "weight",
         .doc = "share of the mixture, relative to the other sources",
         .range = above(0)},
        c.weight);
}

template <FieldsOf<DataSection> C>
void fields(C& c, auto&& field) {
  field({.key = "train",
         .doc = "training sources; exactly one of text, jsonl, tokens in each",
         .required = true},
        c.train);
  field({.key = "validation", .doc = "validation sources; none: split off the training sources"},
        c.validation);
  field({.key = "validation_fraction",
         .doc = "share of each training source's samples, taken from its end, that validates",
         .range = below(0, 1)},
        c.validation_fraction);
  field({.key = "packing",
         .doc = "pack documents back to back and keep attention inside each document"},
        c.packing);
}

template <FieldsOf<TokenizerSection> C>
void fields(C& c, auto&& field) {
  field({.key = "type",
         .doc = "how text becomes token ids; byte: the 256 byte values",
         .choices = {"byte"},
         .absent = {.values = {"bpe"}, .what = "such tokenizer"}},
        c.type);
}

template <FieldsOf<ParameterGroup> C>
void fields(C& c, auto&& field) {
  field({.key = "pattern",
         .doc = "parameter names, with * and ?; the first group that matches wins",
         .required = true},
        c.pattern);
  field({.key = "lr_factor", .doc = "multiplies lr", .range = at_least(0)}, c.lr_factor);
  field({.key = "weight_decay",
         .doc = "replaces weight_decay, whatever the tensor's dimensions",
         .range = at_least(0)},
        c.weight_decay);
}

template <FieldsOf<OptimizerSection> C>
void fields(C& c, auto&& field) {
  field({.key = "name", .doc = "update rule", .choices = {"AdamW", "LAMB", "SGD"}}, c.name);
  const bool sgd = c.name == "SGD";  // known from here on
  field({.key = "lr", .doc = "learning rate at its peak", .range = above(0)}, c.lr);
  field({.key = "betas",
         .doc = "decay of the averages of the gradient and of its square",
         .range = below(0, 1),
         .count = 2,
         .applies = !sgd,
         .applies_if = "name is AdamW or LAMB"},
        c.betas);
  field({.key = "eps",
         .doc = "added to the root of the second average",
         .range = above(0),
         .applies = !sgd,
         .applies_if = "name is AdamW or LAMB"},
        c.eps);
  field({.key = "weight_decay",
         .doc = "decay of tensors of two or more dimensions; decoupled, but in SGD's gradient",
         .range = at_least(0)},
        c.weight_decay);
  field({.key = "decay_norms_and_biases", .doc = "decay tensors of fewer dimensions too"},
        c.decay_norms_and_biases);
  field({.key = "momentum",
         .doc = "decay of the average of the gradient",
         .range = below(0, 1),
         .applies = sgd,
         .applies_if = "name is SGD"},
        c.momentum);
  field({.key = "nesterov",
         .doc = "look ahead by one momentum step",
         .applies = sgd,
         .applies_if = "name is SGD"},
        c.nesterov);
  field({.key = "max_trust_ratio",
         .doc = "bound of the layer-wise scale of the update",
         .range = above(0),
         .applies = c.name == "LAMB",
         .applies_if = "name is LAMB"},
        c.max_trust_ratio);
  field({.key = "post_validation",
         .doc = "update before the gradient norm is known and take back what it forbids; keeps the "
                "state twice",
         .applies = c.name != "LAMB",
         .applies_if = "name is AdamW or SGD"},
        c.post_validation);
  field({.key = "groups", .doc = "other settings for parameters chosen by name"}, c.groups);
}

template <FieldsOf<LrScheduleSection> C>
void fields(C& c, auto&& field) {
  field({.key = "decay",
         .doc = "course of the learning rate after the warm-up",
         .choices = {"constant", "linear", "cosine", "wsd", "inverse_sqrt"}},
        c.decay);
  field({.key = "warmup_steps",
         .doc = "steps of linear rise to lr; 0: the first step has the full lr",
         .range = between(0, max_count)},
        c.warmup_steps);
  field({.key = "min_lr_factor",
         .doc = "learning rate at the last step, relative to lr",
         .range = between(0, 1),
         .applies = c.decay != "constant",
         .applies_if = "decay is not constant"},
        c.min_lr_factor);
  field({.key = "decay_steps",
         .doc = "steps of the final decay",
         .range = between(1, max_count),
         .infers = "a tenth of the run",
         .applies = c.decay == "wsd",
         .applies_if = "decay is wsd"},
        c.decay_steps);
}

template <FieldsOf<TrainingSection> C>
void fields(C& c, auto&& field) {
  field({.key = "steps",
         .doc = "optimizer steps of the whole run",
         .range = between(1, max_count),
         .required = true},
        c.steps);
  field({.key = "seq_len",
         .doc = "tokens per sequence",
         .range = between(1, max_batch),
         .required = true},
        c.seq_len);
  field({.key = "micro_batch_size",
         .doc = "sequences per rank in one forward and backward pass",
         .range = between(1, max_batch)},
        c.micro_batch_size);
  field({.key = "global_batch_size",
         .doc = "sequences per optimizer step over all ranks",
         .range = between(1, max_batch),
         .infers = "micro_batch_size x data-parallel ranks"},
        c.global_batch_size);
  field({.key = "max_norm",
         .doc = "gradients are clipped to this global norm; 0: not clipped",
         .range = at_least(0)},
        c.max_norm);
  field({.key = "seed",
         .doc = "of the initial weights, the data order and dropout",
         .range = at_least(0)},
        c.seed);
  field({.key = "non_finite",
         .doc = "what a non-finite loss or gradient does: end the run, or skip the update",
         .choices = {"stop", "skip"}},
        c.non_finite);
  field({.key = "exit_after",
         .doc = "save and exit with code 75 after this time; 0: never",
         .range = at_least(0),
         .unit = Unit::seconds},
        c.exit_after);
  field({.key = "validation_interval",
         .doc = "steps between validations; 0: only at the end, if there is validation data",
         .range = between(0, max_count)},
        c.validation_interval);
  field({.key = "validation_batches",
         .doc = "global batches per validation at most",
         .range = between(1, max_count)},
        c.validation_batches);
  field({.key = "threads",
         .doc = "OpenMP threads per rank",
         .range = between(1, 4096),
         .infers = "the cores that this rank may use"},
        c.threads);
}

template <FieldsOf<PrecisionSection> C>
void fields(C& c, auto&& field) {
  field({.key = "compute",
         .doc = "type of weights and activations; bf16 and f16 keep f32 master weights",
         .choices = {"f32", "bf16", "f16", "f64"}},
        c.compute);
  const bool f16 = c.compute == "f16";  // known from here on
  field({.key = "initial_loss_scale",
         .doc = "loss scale of the first step",
         .range = above(0),
         .applies = f16,
         .applies_if = "compute is f16"},
        c.initial_loss_scale);
  field({.key = "loss_scale_window",
         .doc = "finite steps before the loss scale doubles",
         .range = between(1, max_count),
         .applies = f16,
         .applies_if = "compute is f16"},
        c.loss_scale_window);
}

template <FieldsOf<ParallelismSection> C>
void fields(C& c, auto&& field) {
  const Range degree = between(1, 1 << 20);
  field({.key = "zero_stage",
         .doc = "what data-parallel ranks share out: 1 optimizer, 2 gradients, 3 parameters",
         .range = between(0, 3)},
        c.zero_stage);
  field({.key = "data_parallel_replicate_degree",
         .doc = "data-parallel groups that hold full copies",
         .range = degree,
         .infers = "the ranks that the other degrees leave"},
        c.data_parallel_replicate_degree);
  field({.key = "data_parallel_shard_degree",
         .doc = "data-parallel ranks that ZeRO shards over; stage 0 replicates here too",
         .range = degree,
         .infers = "the ranks that the other degrees leave"},
        c.data_parallel_shard_degree);
  field({.key = "tensor_parallel_degree", .doc = "ranks that split each layer", .range = degree},
        c.tensor_parallel_degree);
  field({.key = "sequence_parallel",
         .doc = "tensor-parallel ranks split norms and residuals along the sequence"},
        c.sequence_parallel);
  field({.key = "pipeline_parallel_degree",
         .doc = "stages that the layers are cut into, evenly by cost",
         .range = degree},
        c.pipeline_parallel_degree);
  field({.key = "pipeline_parallel_schedule",
         .doc = "order of the pipeline's forward and backward passes",
         .choices = {"gpipe", "1f1b", "interleaved_1f1b", "zb_h1", "zb_h2", "zb_v", "auto"},
         .or_file = ".csv"},
        c.pipeline_parallel_schedule);
  field({.key = "pipeline_parallel_chunks",
         .doc = "pieces of the model per stage",
         .range = degree,
         .infers = "the fewest that the schedule takes"},
        c.pipeline_parallel_chunks);
  field({.key = "pipeline_parallel_memory_limit",
         .doc = "auto: the most that activations may take, in multiples of 1f1b's peak",
         .range = between(0.01, 1000)},
        c.pipeline_parallel_memory_limit);
  field({.key = "bucket_bytes",
         .doc = "gradients are reduced in buckets of about this size",
         .range = between(1, 1099511627776.0),
         .unit = Unit::bytes},
        c.bucket_bytes);
  field(
      {.key = "offload_path",
       .doc = "folder (of a fast disk) for files, mapped into memory and without a name, that hold "
              "the optimizer's state and master weights",
       .nullable = true},
      c.offload_path);
}

template <FieldsOf<ActivationCheckpointSection> C>
void fields(C& c, auto&& field) {
  field({.key = "mode",
         .doc =
             "what the backward computes again: selective: outputs of norms and activations; full: "
             "layers from their inputs",
         .choices = {"none", "selective", "full"}},
        c.mode);
  field({.key = "layers",
         .doc = "the layers that do so, counted from 0, as 0-3,8; others keep everything"},
        c.layers);
}

template <FieldsOf<CheckpointSection> C>
void fields(C& c, auto&& field) {
  field({.key = "interval",
         .doc = "steps between checkpoints; the last step has one too; 0: none",
         .range = between(0, max_count)},
        c.interval);
  field({.key = "keep_latest_k",
         .doc = "checkpoints kept; older ones are removed",
         .range = between(1, 1000000)},
        c.keep_latest_k);
  field({.key = "resume",
         .doc = "auto: from the newest checkpoint that verifies; never; or a checkpoint's folder"},
        c.resume);
  field({.key = "async", .doc = "write in the background while training goes on"}, c.async);
}

template <FieldsOf<MetricsSection> C>
void fields(C& c, auto&& field) {
  field({.key = "interval",
         .doc = "steps between log lines and rows of metrics.jsonl",
         .range = between(1, max_count)},
        c.interval);
  field({.key = "peak_flops",
         .doc = "FLOP/s of one rank that MFU is relative to",
         .range = above(0),
         .infers = "measured at start-up"},
        c.peak_flops);
  field({.key = "tensorboard", .doc = "write TensorBoard event files"}, c.tensorboard);
}

template <FieldsOf<CommunicationSection> C>
void fields(C& c, auto&& field) {
  field({.key = "timeout",
         .doc = "a collective that waits longer ends the run with code 7",
         .range = above(0),
         .unit = Unit::seconds,
         .infers = "5m; from the second step on 10 x the median step, at least 1m"},
        c.timeout);
}

template <FieldsOf<Recipe> C>
void fields(C& c, auto&& field) {
  field({.key = "output", .doc = "folder of the run", .required = true}, c.output);
  field({.key = "model", .doc = "what is trained; Hugging Face's names", .required = true},
        c.model);
  field({.key = "data", .doc = "what it is trained on", .required = true}, c.data);
  field({.key = "tokenizer", .doc = "how text becomes tokens"}, c.tokenizer);
  field({.key = "optimizer", .doc = "how gradients become updates"}, c.optimizer);
  field({.key = "lr_schedule", .doc = "the learning rate over the run"}, c.lr_schedule);
  field({.key = "training", .doc = "length, batches, seed", .required = true}, c.training);
  field({.key = "precision", .doc = "number formats"}, c.precision);
  field({.key = "parallelism", .doc = "the mesh; data parallel takes the ranks that are left"},
        c.parallelism);
  field({.key = "activation_checkpoint", .doc = "memory for recomputation"},
        c.activation_checkpoint);
  field({.key = "checkpoint", .doc = "saving and resuming"}, c.checkpoint);
  field({.key = "metrics", .doc = "what is logged"}, c.metrics);
  field({.key = "communication", .doc = "between ranks"}, c.communication);
}

}  // namespace boostr
