#include "trainer/checkpoint/recipe_changes.h"

#include <fnmatch.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <cstdlib>
#include <map>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

constexpr std::string_view none = "(none)";
constexpr int deepest = 32;
constexpr std::size_t most_values = 20000;

using Values = std::map<std::string, std::string>;  // by key path

/// What a change of the keys that match a pattern does; the first match counts, and a key without a
/// match is refused.
struct Rule {
  std::string_view pattern;
  std::string_view refusal;  ///< "": allowed
};

constexpr std::string_view shape_refusal =
    "it changes the model's shape, which the saved weights do not fit";
constexpr std::string_view model_refusal = "it changes what the saved weights mean";
constexpr std::string_view data_refusal =
    "it changes the stream of samples, in which the run has a position";
constexpr std::string_view state_refusal = "the saved optimizer state is another's";
constexpr std::string_view unknown_refusal = "it is not known to be harmless";

constexpr auto rules = std::to_array<Rule>({
    {"output", ""},
    {"model.type", shape_refusal},
    {"model.*_size", shape_refusal},
    {"model.num_*", shape_refusal},
    {"model.head_dim", shape_refusal},
    {"model.tie_word_embeddings", shape_refusal},
    {"model.*_bias", shape_refusal},
    {"model.qk_norm", shape_refusal},
    {"model.rope_theta",
     ""},  // with rope_scaling and the window: how a model's context is extended
    {"model.rope_scaling*", ""},
    {"model.sliding_window", ""},
    {"model.initializer_range", ""},
    {"model.*", model_refusal},
    {"data.train\\[*\\].weight", ""},
    {"data.validation\\[*", ""},
    {"data.*", data_refusal},
    {"tokenizer.*", "it changes what the tokens mean"},
    {"optimizer.name", state_refusal},
    {"optimizer.*", ""},
    {"lr_schedule.*", ""},
    {"training.seq_len", data_refusal},
    {"training.global_batch_size", data_refusal},
    {"training.seed", data_refusal},
    {"training.*", ""},
    {"precision.*", ""},
    {"parallelism.*", ""},
    {"activation_checkpoint.*", ""},
    {"checkpoint.*", ""},
    {"metrics.*", ""},
    {"communication.*", ""},
});

void flatten(const YAML::Node& node, const std::string& key, int depth, Values& values) {
  require(depth <= deepest && values.size() < most_values, ExitCode::checkpoint,
          "the recipe is nested too deeply or too long");
  if (node.IsMap()) {
    for (const auto& entry : node) {
      const std::string name = entry.first.Scalar();
      flatten(entry.second, key.empty() ? name : key + "." + name, depth + 1, values);
    }
  } else if (node.IsSequence()) {
    for (std::size_t i = 0; i < node.size(); ++i)
      flatten(node[i], text(key, "[", i, "]"), depth + 1, values);
  } else {
    values[key] = node.IsNull() ? "null" : node.Scalar();
  }
}

Values values_of(std::string_view recipe) {
  try {
    Values values;
    const YAML::Node root = YAML::Load(std::string(recipe));
    require(root.IsMap(), ExitCode::checkpoint,
            "the recipe in the checkpoint is not a map of sections");
    flatten(root, "", 0, values);
    return values;
  } catch (const YAML::Exception& error) {
    throw Error(ExitCode::checkpoint,
                text("the recipe in the checkpoint is not YAML: ", error.what()));
  }
}

bool is_number(const std::string& value, double& number) {
  char* end = nullptr;
  number = std::strtod(value.c_str(), &end);
  return !value.empty() && end == value.c_str() + value.size();
}

bool equal(const std::string& a, const std::string& b) {
  double x = 0, y = 0;
  return a == b || (is_number(a, x) && is_number(b, y) && x == y);
}

std::string refusal_of(const std::string& key, const std::string& before, const std::string& now) {
  // Masters and moments are f64 in an f64 run and f32 in every other.
  if (key == "precision.compute" && (before == "f64" || now == "f64"))
    return "the saved tensors are of another type";
  for (const Rule& rule : rules) {
    if (::fnmatch(std::string(rule.pattern).c_str(), key.c_str(), 0) == 0)
      return std::string(rule.refusal);
  }
  return std::string(unknown_refusal);
}

std::string value_at(const Values& values, const std::string& key) {
  const auto found = values.find(key);
  return found == values.end() ? std::string(none) : found->second;
}

}  // namespace

std::vector<RecipeChange> compare_recipes(std::string_view saved, std::string_view now) {
  const Values before = values_of(saved);
  const Values after = values_of(now);
  Values keys = before;
  keys.insert(after.begin(), after.end());
  std::vector<RecipeChange> changes;
  for (const auto& [key, value] : keys) {
    const std::string a = value_at(before, key), b = value_at(after, key);
    if (!equal(a, b)) changes.push_back({key, a, b, refusal_of(key, a, b)});
  }
  return changes;
}

void require_resumable(const std::vector<RecipeChange>& changes) {
  std::string refused;
  for (const RecipeChange& change : changes) {
    if (change.refusal.empty()) continue;
    refused += text("\n  ", change.key, ": ", change.before, " -> ", change.now, " (",
                    change.refusal, ")");
  }
  require(refused.empty(), ExitCode::checkpoint,
          "the recipe does not fit the checkpoint it resumes:", refused,
          "\nset these keys back, or train anew in another output with checkpoint.resume: never");
}

}  // namespace boostr
