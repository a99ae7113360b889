#include "trainer/recipe_check.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "models/recomputation.h"
#include "trainer/pipeline_layout.h"
#include "trainer/recipe_suggest.h"

namespace boostr {

namespace {

constexpr std::int64_t byte_vocabulary = 256;

std::string parent_of(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  return path.substr(0, dot == std::string::npos ? 0 : dot);
}

/// Reports at a key, or, where it has its default, at the nearest section around it.
class Reporter {
 public:
  Reporter(LoadedRecipe& loaded, const std::set<std::string>& unread)
      : loaded_(loaded), unread_(unread) {}

  const Recipe& recipe() const { return loaded_.recipe; }

  /// All of these keys have a value to reason about.
  bool knows(std::initializer_list<std::string> paths) const {
    return std::ranges::all_of(paths, [&](std::string path) {
      for (; !path.empty(); path = parent_of(path)) {
        if (unread_.contains(path)) return false;
      }
      return true;
    });
  }

  template <class... Parts>
  void error(const std::string& path, const Parts&... message) {
    loaded_.diagnostics.error(mark_of(path), text(path, ": ", message...));
  }
  template <class... Parts>
  void warning(const std::string& path, const Parts&... message) {
    loaded_.diagnostics.warning(mark_of(path), text(path, ": ", message...));
  }

 private:
  Mark mark_of(std::string path) const {
    for (; !path.empty(); path = parent_of(path)) {
      const auto place = loaded_.places.find(path);
      if (place != loaded_.places.end()) return place->second.key;
    }
    return {0, 1, 1};
  }

  LoadedRecipe& loaded_;
  const std::set<std::string>& unread_;
};

void check_head_counts(Reporter& report) {
  if (!report.knows({"model.num_attention_heads", "model.num_key_value_heads"})) return;
  const LlamaConfig& model = report.recipe().model.llama;
  const std::int64_t heads = model.num_attention_heads;
  if (model.num_key_value_heads > 0 && heads % model.num_key_value_heads != 0) {
    report.error("model.num_key_value_heads", heads, " query heads cannot be shared out over ",
                 model.num_key_value_heads,
                 " key-value heads; choose a divisor of num_attention_heads");
  }
}

void check_head_width(Reporter& report) {
  if (!report.knows({"model.num_attention_heads", "model.hidden_size", "model.head_dim"})) return;
  const LlamaConfig& model = report.recipe().model.llama;
  const bool given = model.head_dim > 0;
  if (!given && model.hidden_size % model.num_attention_heads != 0) {
    report.error("model.num_attention_heads", "hidden_size ", model.hidden_size,
                 " is not divisible by ", model.num_attention_heads,
                 " heads; choose a divisor, or set head_dim");
    return;
  }
  const std::int64_t width = given ? model.head_dim : model.hidden_size / model.num_attention_heads;
  if (width % 2 != 0) {
    report.error(given ? "model.head_dim" : "model.num_attention_heads", "a head is ", width,
                 " wide; RoPE rotates pairs, so it must be even");
  }
}

void check_rope_scaling(Reporter& report) {
  if (!report.knows({"model.rope_scaling"})) return;
  const RopeScaling& rope = report.recipe().model.llama.rope_scaling;
  if (rope.rope_type == "llama3" && rope.low_freq_factor >= rope.high_freq_factor) {
    report.error("model.rope_scaling.high_freq_factor",
                 "expected more than low_freq_factor = ", rope.low_freq_factor, ", got ",
                 rope.high_freq_factor);
  }
  if (rope.rope_type == "yarn" && rope.beta_fast <= rope.beta_slow) {
    report.error("model.rope_scaling.beta_fast", "expected more than beta_slow = ", rope.beta_slow,
                 ", got ", rope.beta_fast);
  }
}

void check_recomputation(Reporter& report) {
  if (!report.knows({"model.num_hidden_layers", "activation_checkpoint.layers"})) return;
  const Recipe& recipe = report.recipe();
  try {
    (void)layers_listed(recipe.activation_checkpoint.layers, recipe.model.llama.num_hidden_layers);
  } catch (const Error& e) {
    report.error("activation_checkpoint.layers", e.what());
  }
  if (recipe.activation_checkpoint.layers != "all" && recipe.activation_checkpoint.mode == "none")
    report.warning("activation_checkpoint.layers", "has no effect while mode is none");
}

void check_sources(Reporter& report, const std::string& path,
                   const std::vector<DataSource>& sources) {
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const DataSource& source = sources[i];
    const std::string at = text(path, ".", i);
    const int given = !source.text.empty() + !source.jsonl.empty() + !source.tokens.empty();
    const bool sure = report.knows({at + ".?", at + ".text", at + ".jsonl", at + ".tokens"});
    if (given != 1 && sure) {
      report.error(at, "a source has exactly one of text, jsonl, tokens; this one has ",
                   given == 0   ? "none"
                   : given == 2 ? "two"
                                : "all three");
    }
  }
}

void check_validation(Reporter& report) {
  if (!report.knows({"data.validation", "data.validation_fraction"})) return;
  const DataSection& data = report.recipe().data;
  if (!data.validation.empty() && data.validation_fraction > 0) {
    report.error("data.validation_fraction",
                 "data.validation has sources of its own; remove one of the two");
  }
  const bool validates = !data.validation.empty() || data.validation_fraction > 0;
  if (report.recipe().training.validation_interval > 0 && !validates && report.knows({"data.?"})) {
    report.error("training.validation_interval",
                 "there is nothing to validate on; set data.validation_fraction or "
                 "data.validation");
  }
}

void check_vocabulary(Reporter& report) {
  if (!report.knows({"model.vocab_size", "data.train", "data.validation", "tokenizer"})) return;
  const DataSection& data = report.recipe().data;
  const std::int64_t vocabulary = report.recipe().model.llama.vocab_size;
  // Token files bring their own ids: only text goes through the tokenizer.
  const auto is_text = [](const DataSource& source) { return source.tokens.empty(); };
  const bool tokenizes =
      std::ranges::any_of(data.train, is_text) || std::ranges::any_of(data.validation, is_text);
  if (tokenizes && vocabulary < byte_vocabulary) {
    report.error("model.vocab_size", "the byte tokenizer has ", byte_vocabulary,
                 " tokens, vocab_size is ", vocabulary, "; set it to ", byte_vocabulary,
                 " or more");
  }
}

void check_microbatches(Reporter& report) {
  if (!report.knows({"training.global_batch_size", "training.micro_batch_size"})) return;
  const TrainingSection& training = report.recipe().training;
  if (training.global_batch_size > 0 &&
      training.global_batch_size % training.micro_batch_size != 0) {
    report.error("training.global_batch_size", training.global_batch_size,
                 " is not divisible by micro_batch_size ", training.micro_batch_size);
  }
}

void check_schedule(Reporter& report) {
  if (!report.knows({"lr_schedule", "training.steps", "lr_schedule.decay",
                     "lr_schedule.warmup_steps", "lr_schedule.decay_steps"})) {
    return;
  }
  const LrScheduleSection& schedule = report.recipe().lr_schedule;
  const std::int64_t steps = report.recipe().training.steps;
  if (schedule.warmup_steps > steps) {
    report.warning("lr_schedule.warmup_steps", "the run ends after ", steps,
                   " steps, while still warming up over ", schedule.warmup_steps);
  }
  if (schedule.decay == "wsd" && schedule.decay_steps > 0 &&
      schedule.warmup_steps + schedule.decay_steps > steps) {
    report.error("lr_schedule.decay_steps", "warmup_steps ", schedule.warmup_steps,
                 " + decay_steps ", schedule.decay_steps, " is more than training.steps ", steps);
  }
}

void check_optimizer(Reporter& report) {
  const OptimizerSection& optimizer = report.recipe().optimizer;
  const bool known = report.knows({"optimizer.name", "optimizer.momentum"});
  if (known && optimizer.name == "SGD" && optimizer.nesterov && optimizer.momentum == 0) {
    report.error("optimizer.nesterov", "needs momentum > 0");
  }
}

void check_checkpoint(Reporter& report) {
  const Recipe& recipe = report.recipe();
  const bool saves =
      recipe.checkpoint.interval > 0 || !report.knows({"checkpoint.interval", "checkpoint.?"});
  if (recipe.training.exit_after > 0 && !saves) {
    report.error("training.exit_after", "checkpoint.interval 0 saves nothing; set it above 0");
  }
  const std::string& resume = recipe.checkpoint.resume;
  const std::vector<std::string_view> words = {"auto", "never"};
  const bool is_word = std::ranges::find(words, resume) != words.end();
  const bool is_path = resume.find('/') != std::string::npos;
  const std::string_view near = is_word || is_path ? "" : closest(resume, words);
  if (!near.empty()) {
    report.error("checkpoint.resume", "expected auto, never or a checkpoint's folder, got '",
                 resume, "'; did you mean '", near, "'? (a folder of that name: ./", resume, ")");
  }
}

void check_mesh(Reporter& report) {
  const ParallelismSection& mesh = report.recipe().parallelism;
  if (mesh.data_parallel_replicate_degree < 0 && mesh.data_parallel_shard_degree < 0) {
    report.error("parallelism.data_parallel_replicate_degree",
                 "only one of the data-parallel degrees can be -1; set this one or "
                 "data_parallel_shard_degree");
  }
}

void check_tensor_parallel(Reporter& report) {
  if (!report.knows({"model.num_attention_heads", "model.num_key_value_heads",
                     "model.intermediate_size", "model.vocab_size",
                     "parallelism.tensor_parallel_degree"}))
    return;
  const Recipe& recipe = report.recipe();
  ModelConfig model = recipe.model;
  if (model.llama.num_key_value_heads <= 0)
    model.llama.num_key_value_heads = model.llama.num_attention_heads;
  const int degree = recipe.parallelism.tensor_parallel_degree;
  const std::string problem = tensor_parallel_problem(model, degree);
  if (!problem.empty()) report.error("parallelism.tensor_parallel_degree", problem);
}

void check_sequence_parallel(Reporter& report) {
  if (!report.knows(
          {"parallelism.tensor_parallel_degree", "training.seq_len", "training.micro_batch_size"}))
    return;
  const Recipe& recipe = report.recipe();
  const int degree = recipe.parallelism.tensor_parallel_degree;
  if (!recipe.parallelism.sequence_parallel) return;
  if (degree == 1)
    report.warning("parallelism.sequence_parallel",
                   "has no effect while tensor_parallel_degree is 1");
  const std::int64_t tokens = recipe.training.micro_batch_size * recipe.training.seq_len;
  if (tokens % degree != 0)
    report.error("parallelism.sequence_parallel", "the ", tokens,
                 " tokens of a microbatch (micro_batch_size x seq_len) cannot be cut evenly over ",
                 degree, " ranks; choose a seq_len that is divisible by ", degree);
}

// The data-parallel degree that `ranks` leave; reports if the mesh does not fit them.
std::int64_t check_mesh(Reporter& report, std::int64_t ranks) {
  const ParallelismSection& mesh = report.recipe().parallelism;
  const std::int64_t replicate = mesh.data_parallel_replicate_degree;
  const std::int64_t shard = mesh.data_parallel_shard_degree;
  const std::int64_t others =
      std::int64_t{mesh.tensor_parallel_degree} * mesh.pipeline_parallel_degree;
  const std::int64_t dp = std::max<std::int64_t>(replicate, 1) * std::max<std::int64_t>(shard, 1);
  const bool inferred = replicate < 0 || shard < 0;
  const bool fits = inferred ? ranks % (dp * others) == 0 : ranks == dp * others;
  if (fits) return ranks / others;
  report.error(dp > 1 ? shard > 1 ? "parallelism.data_parallel_shard_degree"
                                  : "parallelism.data_parallel_replicate_degree"
                      : "parallelism",
               "the degrees multiply to ", dp * others, " (pipeline ",
               mesh.pipeline_parallel_degree, " x replicate ", std::max<std::int64_t>(replicate, 1),
               " x shard ", std::max<std::int64_t>(shard, 1), " x tensor ",
               mesh.tensor_parallel_degree, ")",
               inferred ? ", which does not divide the number of ranks, "
                        : ", which is not the number of ranks, ",
               ranks);
  return 0;
}

void check_batch(Reporter& report, std::int64_t dp) {
  const TrainingSection& training = report.recipe().training;
  const std::int64_t per_pass = training.micro_batch_size * dp;
  if (training.global_batch_size > 0 && training.global_batch_size % per_pass != 0) {
    report.error("training.global_batch_size", training.global_batch_size,
                 " is not divisible by micro_batch_size x data-parallel ranks = ",
                 training.micro_batch_size, " x ", dp, " = ", per_pass);
  }
}

void check_chunks(Reporter& report) {
  if (!report.knows({"parallelism.pipeline_parallel_degree",
                     "parallelism.pipeline_parallel_schedule",
                     "parallelism.pipeline_parallel_chunks"})) {
    return;
  }
  const std::string problem = chunks_problem(report.recipe().parallelism);
  if (!problem.empty()) report.error("parallelism.pipeline_parallel_chunks", problem);
}

void check_pipeline(Reporter& report, std::int64_t dp) {
  const Recipe& recipe = report.recipe();
  const TrainingSection& training = recipe.training;
  const std::int64_t per_pass = training.micro_batch_size * dp;
  const std::int64_t batch = training.global_batch_size > 0 ? training.global_batch_size : per_pass;
  if (batch % per_pass != 0) return;  // check_batch says so
  const std::int64_t microbatches = batch / per_pass;
  const ParallelismSection& mesh = recipe.parallelism;
  const std::string problem =
      pipeline_problem(mesh, recipe.model.llama.num_hidden_layers, static_cast<int>(microbatches));
  if (!problem.empty()) report.error("parallelism.pipeline_parallel_schedule", problem);
}

}  // namespace

void check_recipe(const std::set<std::string>& unread, LoadedRecipe& loaded) {
  Reporter report(loaded, unread);
  check_head_counts(report);
  check_head_width(report);
  check_rope_scaling(report);
  check_recomputation(report);
  check_sources(report, "data.train", loaded.recipe.data.train);
  check_sources(report, "data.validation", loaded.recipe.data.validation);
  check_validation(report);
  check_vocabulary(report);
  check_microbatches(report);
  check_schedule(report);
  check_optimizer(report);
  check_checkpoint(report);
  check_mesh(report);
  check_tensor_parallel(report);
  check_sequence_parallel(report);
  check_chunks(report);
}

int check_ranks(const LoadedRecipe& loaded, int ranks) {
  LoadedRecipe checked = loaded;
  const std::set<std::string> all_read;
  Reporter report(checked, all_read);
  const std::int64_t dp = check_mesh(report, ranks);
  if (dp > 0) {
    check_batch(report, dp);
    check_pipeline(report, dp);
  }
  if (checked.diagnostics.has_errors()) throw RecipeError(checked.diagnostics.errors());
  return static_cast<int>(dp);
}

}  // namespace boostr
