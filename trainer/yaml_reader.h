#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/recipe_diagnostics.h"

namespace boostr {

/// A YAML value as written: scalars are text, nothing is converted yet. A tree, never a graph:
/// recipes have no aliases.
struct YamlNode {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  Mark mark = {};           ///< of the value
  std::string key = {};     ///< in a map: this entry's key
  Mark key_mark = {};       ///< in a map: of the key
  std::string scalar = {};  ///< of a scalar (and the spelling of a null)
  bool quoted = false;      ///< a quoted or block scalar is a string whatever it looks like
  std::vector<YamlNode> children = {};  ///< of a list or map, in the order of the text

  const YamlNode* find(std::string_view name) const;
  YamlNode* find(std::string_view name);
};

/// Reads one YAML document of at most 1 MiB, 32 levels and 20,000 values. Anchors, aliases, tags,
/// duplicate keys, several documents, bytes that are not UTF-8 and everything that is not YAML are
/// errors in `diagnostics`. `source` is the text's number there. An empty document is null; nothing
/// comes back if the text cannot be read to its end.
std::optional<YamlNode> read_yaml(std::string_view input, int source, Diagnostics& diagnostics);

/// Reads one value as people write it on a command line: what starts with a quote, `[` or `{` is
/// YAML, everything else is one plain scalar, so that `*.txt` and `a: b` need no second quoting.
std::optional<YamlNode> read_yaml_value(std::string_view input, int source,
                                        Diagnostics& diagnostics);

}  // namespace boostr
