#include "trainer/checkpoint/resume_rules.h"

#include <fnmatch.h>

#include <array>
#include <string_view>
#include <utility>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

/// What a change of the keys that match a pattern does; the first match counts.
struct Rule {
  const char* pattern;
  std::string_view refusal;  ///< "": allowed
};

constexpr std::string_view shape_refusal =
    "it changes the model's shape, which the saved weights do not fit";
constexpr std::string_view meaning_refusal = "it changes what the saved weights mean";
constexpr std::string_view sample_refusal =
    "it changes what a sample is, and the run has a position among samples";
constexpr std::string_view type_refusal = "the saved tensors are of another type";
constexpr std::string_view moment_refusal = "without momentum no moment was saved";
constexpr std::string_view unknown_refusal = "it is not known to be harmless";

constexpr auto rules = std::to_array<Rule>({
    {"output", ""},
    {"model.rope_theta", ""},  // with the scaling and the window: how a model's context is extended
    {"model.rope_scaling*", ""},
    {"model.sliding_window", ""},
    {"model.initializer_range", ""},
    {"model.type", shape_refusal},
    {"model.*_size", shape_refusal},
    {"model.num_*", shape_refusal},
    {"model.head_dim", shape_refusal},
    {"model.tie_word_embeddings", shape_refusal},
    {"model.*_bias", shape_refusal},
    {"model.qk_norm", shape_refusal},
    {"model.*", meaning_refusal},
    {"data.train*", ""},  // the data layer lists what it makes of them
    {"data.validation", ""},
    {"data.validation.*", ""},
    {"data.validation_fraction",
     "samples that were trained on would validate, or the other way round"},
    {"data.*", sample_refusal},
    {"tokenizer.*", "it changes what the tokens mean"},
    {"optimizer.name", "the saved optimizer state is another's"},
    {"optimizer.*", ""},
    {"lr_schedule.*", ""},
    {"training.seq_len", sample_refusal},
    {"training.seed", "the order of samples hangs on it"},
    {"training.*", ""},
    {"precision.*", ""},
    {"parallelism.*", ""},
    {"activation_checkpoint.*", ""},
    {"checkpoint.*", ""},
    {"metrics.*", ""},
    {"communication.*", ""},
});

std::string_view refusal_of(const RecipeChange& change) {
  // Masters and moments are f64 in an f64 run and f32 in every other.
  const bool precision = change.path == "precision.compute";
  if (precision && (change.before == "f64" || change.after == "f64")) return type_refusal;
  const bool starts_momentum = change.path == "optimizer.momentum" && change.before == "0.0";
  if (starts_momentum) return moment_refusal;
  for (const Rule& rule : rules) {
    if (::fnmatch(rule.pattern, change.path.c_str(), 0) == 0) return rule.refusal;
  }
  return unknown_refusal;
}

std::string_view shown(const std::string& value) {
  return value.empty() ? "(none)" : std::string_view(value);
}

}  // namespace

std::string values_of(const RecipeChange& change) {
  return text(shown(change.before), " -> ", shown(change.after));
}

std::vector<ResumeChange> resume_changes(const Recipe& saved, const Recipe& now) {
  std::vector<ResumeChange> found;
  for (RecipeChange& change : changes(saved, now)) {
    const std::string refusal(refusal_of(change));
    found.push_back({std::move(change), refusal});
  }
  return found;
}

void require_resumable(const std::vector<ResumeChange>& changes) {
  std::string refused;
  for (const auto& [change, refusal] : changes) {
    if (refusal.empty()) continue;
    refused += text("\n  ", change.path, ": ", values_of(change), " (", refusal, ")");
  }
  require(refused.empty(), ExitCode::checkpoint,
          "the recipe does not fit the checkpoint it resumes:", refused,
          "\nset these keys back, or train anew in another output with checkpoint.resume: never");
}

}  // namespace boostr
