#include <algorithm>
#include <array>
#include <utility>

#include "kernels/runtime/error.h"
#include "trainer/recipe_suggest.h"

namespace boostr {

namespace {

constexpr std::string_view derived =
    "derived here: training.global_batch_size / (training.micro_batch_size x data-parallel ranks)";

constexpr std::array keys = {
    // DeepSpeed
    ForeignKey{"train_micro_batch_size_per_gpu", "DeepSpeed", "training.micro_batch_size"},
    ForeignKey{"train_batch_size", "DeepSpeed", "training.global_batch_size"},
    ForeignKey{"gradient_accumulation_steps", "DeepSpeed", derived},
    ForeignKey{"gradient_clipping", "DeepSpeed", "training.max_norm"},
    ForeignKey{"zero_optimization", "DeepSpeed", "parallelism.zero_stage"},
    ForeignKey{"stage", "DeepSpeed", "parallelism.zero_stage"},
    ForeignKey{"reduce_bucket_size", "DeepSpeed", "parallelism.bucket_bytes"},
    ForeignKey{"initial_scale_power", "DeepSpeed", "precision.initial_loss_scale"},
    ForeignKey{"steps_per_print", "DeepSpeed", "metrics.interval"},
    ForeignKey{"fp16", "DeepSpeed", "precision.compute"},
    ForeignKey{"bf16", "DeepSpeed", "precision.compute"},
    // Megatron-LM
    ForeignKey{"train_iters", "Megatron-LM", "training.steps"},
    ForeignKey{"seq_length", "Megatron-LM", "training.seq_len"},
    ForeignKey{"lr_warmup_iters", "Megatron-LM", "lr_schedule.warmup_steps"},
    ForeignKey{"lr_decay_style", "Megatron-LM", "lr_schedule.decay"},
    ForeignKey{"lr_wsd_decay_iters", "Megatron-LM", "lr_schedule.decay_steps"},
    ForeignKey{"min_lr", "Megatron-LM", "lr_schedule.min_lr_factor"},
    ForeignKey{"clip_grad", "Megatron-LM", "training.max_norm"},
    ForeignKey{"adam_beta1", "Megatron-LM", "optimizer.betas"},
    ForeignKey{"adam_beta2", "Megatron-LM", "optimizer.betas"},
    ForeignKey{"adam_eps", "Megatron-LM", "optimizer.eps"},
    ForeignKey{"tensor_model_parallel_size", "Megatron-LM", "parallelism.tensor_parallel_degree"},
    ForeignKey{"pipeline_model_parallel_size", "Megatron-LM",
               "parallelism.pipeline_parallel_degree"},
    ForeignKey{"num_layers_per_virtual_pipeline_stage", "Megatron-LM",
               "parallelism.pipeline_parallel_chunks"},
    ForeignKey{"recompute_granularity", "Megatron-LM", "activation_checkpoint.mode"},
    ForeignKey{"use_distributed_optimizer", "Megatron-LM", "parallelism.zero_stage"},
    ForeignKey{"save_interval", "Megatron-LM", "checkpoint.interval"},
    ForeignKey{"save", "Megatron-LM", "output"},
    ForeignKey{"load", "Megatron-LM", "checkpoint.resume"},
    ForeignKey{"async_save", "Megatron-LM", "checkpoint.async"},
    ForeignKey{"eval_interval", "Megatron-LM", "training.validation_interval"},
    ForeignKey{"eval_iters", "Megatron-LM", "training.validation_batches"},
    ForeignKey{"num_layers", "Megatron-LM", "model.num_hidden_layers"},
    ForeignKey{"ffn_hidden_size", "Megatron-LM", "model.intermediate_size"},
    ForeignKey{"num_query_groups", "Megatron-LM", "model.num_key_value_heads"},
    ForeignKey{"kv_channels", "Megatron-LM", "model.head_dim"},
    ForeignKey{"rotary_base", "Megatron-LM", "model.rope_theta"},
    ForeignKey{"norm_epsilon", "Megatron-LM", "model.rms_norm_eps"},
    ForeignKey{"init_method_std", "Megatron-LM", "model.initializer_range"},
    ForeignKey{"log_interval", "Megatron-LM", "metrics.interval"},
    ForeignKey{"exit_duration_in_mins", "Megatron-LM", "training.exit_after"},
    ForeignKey{"data_path", "Megatron-LM", "data.train"},
    ForeignKey{"split", "Megatron-LM", "data.validation_fraction"},
    // TorchTitan
    ForeignKey{"local_batch_size", "TorchTitan", "training.micro_batch_size"},
    ForeignKey{"dump_folder", "TorchTitan", "output"},
    ForeignKey{"lr_scheduler", "TorchTitan", "lr_schedule"},
    ForeignKey{"decay_type", "TorchTitan", "lr_schedule.decay"},
    ForeignKey{"decay_ratio", "TorchTitan", "lr_schedule.decay_steps"},
    ForeignKey{"log_freq", "TorchTitan", "metrics.interval"},
    ForeignKey{"enable_tensorboard", "TorchTitan", "metrics.tensorboard"},
    ForeignKey{"async_mode", "TorchTitan", "checkpoint.async"},
    ForeignKey{"folder", "TorchTitan", "output"},
    ForeignKey{"load_step", "TorchTitan", "checkpoint.resume"},
    ForeignKey{"train_timeout_seconds", "TorchTitan", "communication.timeout"},
    ForeignKey{"init_timeout_seconds", "TorchTitan", "communication.timeout"},
    ForeignKey{"comm", "TorchTitan", "communication"},
    ForeignKey{"dataset", "TorchTitan", "data.train"},
    ForeignKey{"n_layers", "TorchTitan", "model.num_hidden_layers"},
    ForeignKey{"n_heads", "TorchTitan", "model.num_attention_heads"},
    ForeignKey{"n_kv_heads", "TorchTitan", "model.num_key_value_heads"},
    ForeignKey{"dim", "TorchTitan", "model.hidden_size"},
    ForeignKey{"norm_eps", "TorchTitan", "model.rms_norm_eps"},
    // nanotron
    ForeignKey{"dp", "nanotron", "parallelism.data_parallel_shard_degree"},
    ForeignKey{"tp", "nanotron", "parallelism.tensor_parallel_degree"},
    ForeignKey{"pp", "nanotron", "parallelism.pipeline_parallel_degree"},
    ForeignKey{"pp_engine", "nanotron", "parallelism.pipeline_parallel_schedule"},
    ForeignKey{"train_steps", "nanotron", "training.steps"},
    ForeignKey{"sequence_length", "nanotron", "training.seq_len"},
    ForeignKey{"batch_accumulation_per_replica", "nanotron", derived},
    ForeignKey{"learning_rate_scheduler", "nanotron", "lr_schedule"},
    ForeignKey{"lr_warmup_steps", "nanotron", "lr_schedule.warmup_steps"},
    ForeignKey{"min_decay_lr", "nanotron", "lr_schedule.min_lr_factor"},
    ForeignKey{"lr_decay_steps", "nanotron", "lr_schedule.decay_steps"},
    ForeignKey{"checkpoint_interval", "nanotron", "checkpoint.interval"},
    ForeignKey{"checkpoints_path", "nanotron", "output"},
    ForeignKey{"resume_checkpoint_path", "nanotron", "checkpoint.resume"},
    ForeignKey{"data_stages", "nanotron", "data.train"},
    ForeignKey{"tokens", "nanotron", "training"},
    // Hugging Face
    ForeignKey{"learning_rate", "Hugging Face", "optimizer.lr"},
    ForeignKey{"max_steps", "Hugging Face", "training.steps"},
    ForeignKey{"per_device_train_batch_size", "Hugging Face", "training.micro_batch_size"},
    ForeignKey{"max_grad_norm", "Hugging Face", "training.max_norm"},
    ForeignKey{"lr_scheduler_type", "Hugging Face", "lr_schedule.decay"},
    ForeignKey{"adam_beta1", "Hugging Face", "optimizer.betas"},
    ForeignKey{"adam_epsilon", "Hugging Face", "optimizer.eps"},
    ForeignKey{"optim", "Hugging Face", "optimizer.name"},
    ForeignKey{"output_dir", "Hugging Face", "output"},
    ForeignKey{"logging_steps", "Hugging Face", "metrics.interval"},
    ForeignKey{"save_steps", "Hugging Face", "checkpoint.interval"},
    ForeignKey{"save_total_limit", "Hugging Face", "checkpoint.keep_latest_k"},
    ForeignKey{"num_warmup_steps", "Hugging Face", "lr_schedule.warmup_steps"},
    ForeignKey{"context_length", "Hugging Face", "training.seq_len"},
    ForeignKey{"dtype", "Hugging Face", "precision.compute"},
    ForeignKey{"eval_steps", "Hugging Face", "training.validation_interval"},
    ForeignKey{"resume_from_checkpoint", "Hugging Face", "checkpoint.resume"},
    ForeignKey{"gradient_checkpointing", "Hugging Face", "activation_checkpoint.mode"},
    ForeignKey{"ddp_timeout", "Hugging Face", "communication.timeout"},
    ForeignKey{"model_type", "Hugging Face", "model.type"},
    ForeignKey{"torch_dtype", "Hugging Face", "precision.compute"},
    ForeignKey{"max_position_embeddings", "Hugging Face", "training.seq_len"},
    ForeignKey{"max_seq_length", "Hugging Face", "training.seq_len"},
    // nanoGPT
    ForeignKey{"n_layer", "nanoGPT", "model.num_hidden_layers"},
    ForeignKey{"n_head", "nanoGPT", "model.num_attention_heads"},
    ForeignKey{"n_embd", "nanoGPT", "model.hidden_size"},
    ForeignKey{"block_size", "nanoGPT", "training.seq_len"},
    ForeignKey{"max_iters", "nanoGPT", "training.steps"},
    ForeignKey{"warmup_iters", "nanoGPT", "lr_schedule.warmup_steps"},
    ForeignKey{"grad_clip", "nanoGPT", "training.max_norm"},
    ForeignKey{"out_dir", "nanoGPT", "output"},
    // llm.c's long names for its letters
    ForeignKey{"total_batch_size", "llm.c", "training.global_batch_size"},
    ForeignKey{"warmup_iterations", "llm.c", "lr_schedule.warmup_steps"},
    ForeignKey{"final_learning_rate_frac", "llm.c", "lr_schedule.min_lr_factor"},
    ForeignKey{"train_data_pattern", "llm.c", "data.train"},
    ForeignKey{"val_data_pattern", "llm.c", "data.validation"},
    ForeignKey{"output_log_dir", "llm.c", "output"},
    ForeignKey{"checkpoint_every", "llm.c", "checkpoint.interval"},
    ForeignKey{"checkpoints_keep", "llm.c", "checkpoint.keep_latest_k"},
    ForeignKey{"val_loss_every", "llm.c", "training.validation_interval"},
    ForeignKey{"val_max_steps", "llm.c", "training.validation_batches"},
    ForeignKey{"max_seq_len", "llm.c", "training.seq_len"},
    ForeignKey{"channels", "llm.c", "model.hidden_size"},
    ForeignKey{"num_heads", "llm.c", "model.num_attention_heads"},
    // YAML's own merge key
    ForeignKey{"<<", "YAML", "extends"},
};

// Command-line spellings (train-iters) are the same keys.
bool same_key(std::string_view a, std::string_view b) {
  const auto plain = [](char c) {
    return c == '-' ? '_' : c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  return std::ranges::equal(a, b, {}, plain, plain);
}

}  // namespace

std::span<const ForeignKey> foreign_keys() { return keys; }

std::string foreign_key_hint(std::string_view key) {
  while (key.starts_with('-')) key.remove_prefix(1);
  for (const ForeignKey& foreign : keys) {
    if (!same_key(foreign.key, key)) continue;
    const bool is_path = foreign.ours != derived;
    return text(foreign.project, "'s ", foreign.key, " is ", foreign.ours, is_path ? " here" : "");
  }
  return {};
}

std::string_view foreign_value(std::string_view value) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 10> values = {{
      {"bfloat16", "bf16"},
      {"float16", "f16"},
      {"half", "f16"},
      {"float32", "f32"},
      {"float", "f32"},
      {"float64", "f64"},
      {"double", "f64"},
      {"warmup-stable-decay", "wsd"},
      {"inverse-square-root", "inverse_sqrt"},
      {"swish", "silu"},
  }};
  const auto found =
      std::ranges::find(values, value, &std::pair<std::string_view, std::string_view>::first);
  return found == values.end() ? std::string_view() : found->second;
}

}  // namespace boostr
