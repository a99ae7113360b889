#include "trainer/recipe_load.h"

#include "trainer/recipe_check.h"
#include "trainer/recipe_reader.h"
#include "trainer/recipe_tree.h"

namespace boostr {

namespace {

// Values that -1 stands for and that follow from the recipe alone.
void infer(LlamaConfig& model) {
  if (model.num_key_value_heads <= 0) model.num_key_value_heads = model.num_attention_heads;
  if (model.head_dim <= 0) model.head_dim = model.hidden_size / model.num_attention_heads;
}

LoadedRecipe finish(const std::optional<YamlNode>& root, LoadedRecipe loaded) {
  if (root) check_recipe(read_recipe(*root, loaded), loaded);
  if (loaded.diagnostics.has_errors()) throw RecipeError(loaded.diagnostics.errors());
  infer(loaded.recipe.model.llama);
  return loaded;
}

}  // namespace

LoadedRecipe load_recipe(const std::string& path, std::span<const std::string> overrides) {
  LoadedRecipe loaded;
  const std::optional<YamlNode> root = read_recipe_file(path, overrides, loaded.diagnostics);
  return finish(root, std::move(loaded));
}

LoadedRecipe parse_recipe(const std::string& name, const std::string& text,
                          std::span<const std::string> overrides) {
  LoadedRecipe loaded;
  const std::optional<YamlNode> root = read_recipe_text(name, text, overrides, loaded.diagnostics);
  return finish(root, std::move(loaded));
}

}  // namespace boostr
