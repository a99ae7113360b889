#include "trainer/recipe_check.h"

#include <algorithm>
#include <string_view>

#include "trainer/recipe_suggest.h"

namespace boostr {

namespace {

constexpr std::int64_t byte_vocabulary = 256;

/// Reports at a key, or, where it has its default, at the nearest section around it.
class Reporter {
 public:
  explicit Reporter(LoadedRecipe& loaded) : loaded_(loaded) {}

  template <class... Parts>
  void error(const std::string& path, const Parts&... message) {
    loaded_.diagnostics.error(key_mark(path), text(path, ": ", message...));
  }
  template <class... Parts>
  void warning(const std::string& path, const Parts&... message) {
    loaded_.diagnostics.warning(key_mark(path), text(path, ": ", message...));
  }
  const Recipe& recipe() const { return loaded_.recipe; }

 private:
  Mark key_mark(std::string path) const {
    while (!path.empty()) {
      const auto place = loaded_.places.find(path);
      if (place != loaded_.places.end()) return place->second.key;
      const std::size_t dot = path.rfind('.');
      path.resize(dot == std::string::npos ? 0 : dot);
    }
    return {0, 1, 1};
  }

  LoadedRecipe& loaded_;
};

void check_heads(Reporter& report) {
  const LlamaConfig& model = report.recipe().model.llama;
  const std::int64_t heads = model.num_attention_heads;
  const std::int64_t kv_heads = model.num_key_value_heads > 0 ? model.num_key_value_heads : heads;
  if (heads % kv_heads != 0) {
    report.error("model.num_key_value_heads", heads, " query heads cannot be shared out over ",
                 kv_heads, " key-value heads; choose a divisor of num_attention_heads");
  }
  if (model.head_dim <= 0 && model.hidden_size % heads != 0) {
    report.error("model.num_attention_heads", "hidden_size ", model.hidden_size,
                 " is not divisible by ", heads, " heads; choose a divisor, or set head_dim");
    return;
  }
  const std::int64_t width = model.head_dim > 0 ? model.head_dim : model.hidden_size / heads;
  if (width % 2 != 0) {
    report.error(model.head_dim > 0 ? "model.head_dim" : "model.num_attention_heads", "a head is ",
                 width, " wide; RoPE rotates pairs, so it must be even");
  }
}

void check_rope_scaling(Reporter& report) {
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

void check_sources(Reporter& report, const std::string& path,
                   const std::vector<DataSource>& sources) {
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const DataSource& source = sources[i];
    const int given = !source.text.empty() + !source.jsonl.empty() + !source.tokens.empty();
    if (given != 1) {
      report.error(text(path, ".", i),
                   "a source has exactly one of text, jsonl, tokens; this one has ",
                   given == 0   ? "none"
                   : given == 2 ? "two"
                                : "all three");
    }
  }
}

void check_data(Reporter& report) {
  const Recipe& recipe = report.recipe();
  const DataSection& data = recipe.data;
  check_sources(report, "data.train", data.train);
  check_sources(report, "data.validation", data.validation);
  if (!data.validation.empty() && data.validation_fraction > 0) {
    report.error("data.validation_fraction",
                 "data.validation has sources of its own; remove one of the two");
  }
  const bool validates = !data.validation.empty() || data.validation_fraction > 0;
  if (recipe.training.validation_interval > 0 && !validates) {
    report.error(
        "training.validation_interval",
        "there is nothing to validate on; set data.validation_fraction or data.validation");
  }
  // Token files bring their own ids: only text goes through the tokenizer.
  const auto is_text = [](const DataSource& source) { return source.tokens.empty(); };
  const bool tokenizes =
      std::ranges::any_of(data.train, is_text) || std::ranges::any_of(data.validation, is_text);
  if (tokenizes && recipe.model.llama.vocab_size < byte_vocabulary) {
    report.error("model.vocab_size", "the byte tokenizer has ", byte_vocabulary,
                 " tokens, vocab_size is ", recipe.model.llama.vocab_size, "; set it to ",
                 byte_vocabulary, " or more");
  }
}

void check_batch(Reporter& report) {
  const TrainingSection& training = report.recipe().training;
  if (training.global_batch_size > 0 &&
      training.global_batch_size % training.micro_batch_size != 0) {
    report.error("training.global_batch_size", training.global_batch_size,
                 " is not divisible by micro_batch_size ", training.micro_batch_size);
  }
}

void check_schedule(Reporter& report) {
  const Recipe& recipe = report.recipe();
  const LrScheduleSection& schedule = recipe.lr_schedule;
  if (schedule.warmup_steps > recipe.training.steps) {
    report.warning("lr_schedule.warmup_steps", "the run ends after ", recipe.training.steps,
                   " steps, while still warming up over ", schedule.warmup_steps);
  }
  if (schedule.decay == "wsd" &&
      schedule.decay_steps > recipe.training.steps - schedule.warmup_steps) {
    report.error("lr_schedule.decay_steps", "warmup_steps ", schedule.warmup_steps,
                 " + decay_steps ", schedule.decay_steps, " is more than training.steps ",
                 recipe.training.steps);
  }
}

void check_optimizer(Reporter& report) {
  const OptimizerSection& optimizer = report.recipe().optimizer;
  if (optimizer.name == "SGD" && optimizer.nesterov && optimizer.momentum == 0) {
    report.error("optimizer.nesterov", "needs momentum > 0");
  }
}

void check_checkpoint(Reporter& report) {
  const Recipe& recipe = report.recipe();
  if (recipe.training.exit_after > 0 && recipe.checkpoint.interval == 0) {
    report.error("training.exit_after", "checkpoint.interval 0 saves nothing; set it above 0");
  }
  const std::string& resume = recipe.checkpoint.resume;
  const std::vector<std::string_view> words = {"auto", "never"};
  const std::string_view near = resume.find('/') == std::string::npos ? closest(resume, words) : "";
  if (!near.empty() && near != resume) {
    report.error("checkpoint.resume", "expected auto, never or a checkpoint's folder, got '",
                 resume, "'; did you mean '", near, "'? (a folder of that name: ./", resume, ")");
  }
}

void check_parallelism(Reporter& report) {
  const ParallelismSection& mesh = report.recipe().parallelism;
  if (mesh.data_parallel_replicate_degree < 0 && mesh.data_parallel_shard_degree < 0) {
    report.error("parallelism.data_parallel_replicate_degree",
                 "only one of the data-parallel degrees can be -1; set this one or "
                 "data_parallel_shard_degree");
  }
}

int known(int degree) { return std::max(degree, 1); }

// The batch against the data-parallel degree; returns whether it fits.
void check_batch(Reporter& report, int dp) {
  const TrainingSection& training = report.recipe().training;
  const std::int64_t per_pass = training.micro_batch_size * dp;
  if (training.global_batch_size > 0 && training.global_batch_size % per_pass != 0) {
    report.error("training.global_batch_size", training.global_batch_size,
                 " is not divisible by micro_batch_size x data-parallel ranks = ",
                 training.micro_batch_size, " x ", dp, " = ", per_pass);
  }
}

}  // namespace

void check_recipe(LoadedRecipe& loaded) {
  Reporter report(loaded);
  check_heads(report);
  check_rope_scaling(report);
  check_data(report);
  check_batch(report);
  check_schedule(report);
  check_optimizer(report);
  check_checkpoint(report);
  check_parallelism(report);
}

int check_ranks(const LoadedRecipe& loaded, int ranks) {
  LoadedRecipe checked = loaded;
  checked.diagnostics.clear_warnings();
  Reporter report(checked);
  const ParallelismSection& mesh = loaded.recipe.parallelism;
  const int replicate = mesh.data_parallel_replicate_degree,
            shard = mesh.data_parallel_shard_degree;
  const int given =
      known(replicate) * known(shard) * mesh.tensor_parallel_degree * mesh.pipeline_parallel_degree;
  const bool inferred = replicate < 0 || shard < 0;
  if (inferred ? ranks % given != 0 : ranks != given) {
    report.error(shard < 0 ? "parallelism" : "parallelism.data_parallel_shard_degree",
                 "the degrees multiply to ", given,
                 inferred ? ", which does not divide " : ", which is not ", ranks, " ranks");
  }
  const int dp =
      inferred ? ranks / given * known(replicate) * known(shard) : known(replicate) * known(shard);
  if (!checked.diagnostics.has_errors()) check_batch(report, dp);
  if (checked.diagnostics.has_errors()) throw RecipeError(checked.diagnostics.errors());
  return dp;
}

}  // namespace boostr
