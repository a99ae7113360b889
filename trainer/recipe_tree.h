#pragma once

#include <optional>
#include <span>
#include <string>

#include "trainer/yaml_reader.h"

namespace boostr {

/// The YAML of a recipe with what it extends below it and the overrides on top: maps merge,
/// everything else is replaced, and each node keeps the mark of the text that it came from.
/// `extends` itself is taken out. Nothing comes back if one of the texts cannot be read; why is in
/// `diagnostics`. Source 0 there is `path`.
std::optional<YamlNode> read_recipe_file(const std::string& path,
                                         std::span<const std::string> overrides,
                                         Diagnostics& diagnostics);

/// The same for a recipe that is at hand as text; `name` stands for the file in messages.
std::optional<YamlNode> read_recipe_text(const std::string& name, std::string text,
                                         std::span<const std::string> overrides,
                                         Diagnostics& diagnostics);

}  // namespace boostr
