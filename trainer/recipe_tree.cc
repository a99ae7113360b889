#include "trainer/recipe_tree.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <utility>
#include <vector>

namespace boostr {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_bytes =
    (1 << 20) + 1;  // one more than a recipe may have: the reader refuses the rest
constexpr std::size_t longest_chain = 16;

// Returns why the file cannot be read; empty: it is in `content`.
std::string read_file(const std::string& path, std::string& content) {
  std::error_code error;
  if (fs::is_directory(path, error)) return "it is a directory";
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::strerror(errno);
  content.resize(most_bytes);
  file.read(content.data(), static_cast<std::streamsize>(most_bytes));
  content.resize(static_cast<std::size_t>(file.gcount()));
  return file.bad() ? "reading it failed" : "";
}

void merge(YamlNode& below, YamlNode above) {
  const bool both_maps = below.kind == YamlNode::Kind::map && above.kind == YamlNode::Kind::map;
  // A section whose keys are all commented out changes nothing.
  const bool empty_section =
      below.kind == YamlNode::Kind::map && above.kind == YamlNode::Kind::null;
  if (!both_maps && !empty_section) {
    below = std::move(above);
    return;
  }
  below.mark = above.mark;
  below.key_mark = above.key_mark;
  for (YamlNode& child : above.children) {
    if (YamlNode* same = below.find(child.key)) {
      merge(*same, std::move(child));
    } else {
      below.children.push_back(std::move(child));
    }
  }
}

class TreeReader {
 public:
  explicit TreeReader(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  std::optional<YamlNode> read(const std::string& path, std::string content) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (content.starts_with(byte_order_mark)) content.erase(0, byte_order_mark.size());
    const int source = diagnostics_.add_source({path, std::move(content)});
    std::optional<YamlNode> root =
        read_yaml(diagnostics_.source(source).text, source, diagnostics_);
    if (!root) return root;
    if (root->kind == YamlNode::Kind::null) {
      diagnostics_.error({source, 1, 1}, "the recipe is empty");
      return std::nullopt;
    }
    if (root->kind != YamlNode::Kind::map) {
      diagnostics_.error(root->mark,
                         "a recipe is a map of sections (model:, data:, training:, ...)");
      return std::nullopt;
    }
    return extend(path, std::move(*root));
  }

 private:
  // Puts the recipe that `root` extends below it.
  std::optional<YamlNode> extend(const std::string& path, YamlNode root) {
    const auto entry = std::ranges::find(root.children, "extends", &YamlNode::key);
    if (entry == root.children.end()) return root;
    const YamlNode base_name = std::move(*entry);
    root.children.erase(entry);
    if (base_name.kind != YamlNode::Kind::scalar || base_name.scalar.empty()) {
      diagnostics_.error(base_name.mark, "extends: expected the path of one recipe");
      return std::nullopt;
    }
    const std::string base =
        (fs::path(path).parent_path() / base_name.scalar).lexically_normal().string();
    chain_.push_back(identity(path));
    if (std::ranges::find(chain_, identity(base)) != chain_.end() ||
        chain_.size() > longest_chain) {
      diagnostics_.error(base_name.mark, text("extends: ", base, " leads back to itself"));
      return std::nullopt;
    }
    std::string content;
    const std::string problem = read_file(base, content);
    if (!problem.empty()) {
      diagnostics_.error(base_name.mark, text("extends: cannot read ", base, ": ", problem));
      return std::nullopt;
    }
    std::optional<YamlNode> merged = read(base, std::move(content));
    if (merged) merge(*merged, std::move(root));
    return merged;
  }

  static fs::path identity(const std::string& path) {
    std::error_code error;
    const fs::path canonical = fs::weakly_canonical(path, error);
    return error ? fs::path(path) : canonical;
  }

  Diagnostics& diagnostics_;
  std::vector<fs::path> chain_;
};

bool is_index(std::string_view part) {
  return !part.empty() && part.size() < 6 &&
         part.find_first_not_of("0123456789") == std::string_view::npos;
}

// The element of `list` that an override names; one past the end appends.
YamlNode* element(YamlNode& list, std::string_view part, const std::string& path, Mark at,
                  Diagnostics& diagnostics) {
  const std::size_t size = list.children.size();
  const std::size_t index = is_index(part) ? std::stoul(std::string(part)) : size + 1;
  if (index > size) {
    diagnostics.error(at, text(path, " is a list of ", size, "; expected an index from 0 to ", size,
                               " after it, got '", part, "'"));
    return nullptr;
  }
  if (index == size) list.children.push_back({.mark = at});
  return &list.children[index];
}

// Sets the value at the dotted `path` to `value`, making the sections on the way.
void set_at(YamlNode& root, std::string_view path, YamlNode value, Diagnostics& diagnostics) {
  const Mark at = value.mark;
  YamlNode* node = &root;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    const std::string parent(path.substr(0, begin == 0 ? 0 : begin - 1));
    begin = end + 1;
    if (node->kind == YamlNode::Kind::null)
      node->kind = is_index(part) ? YamlNode::Kind::list : YamlNode::Kind::map;
    if (node->kind == YamlNode::Kind::scalar) {
      diagnostics.error(at, text(parent, " is a single value, it has no key '", part, "'"));
      return;
    }
    if (node->kind == YamlNode::Kind::list) {
      node = element(*node, part, parent, at, diagnostics);
      if (node == nullptr) return;
      continue;
    }
    YamlNode* child = node->find(part);
    if (child == nullptr) {
      node->children.push_back({.mark = at, .key = std::string(part), .key_mark = at});
      child = &node->children.back();
    }
    node = child;
  }
  value.key = node->key;
  value.key_mark = at;
  merge(*node, std::move(value));
}

bool apply_override(YamlNode& root, const std::string& argument, Diagnostics& diagnostics) {
  const std::size_t equals = argument.find('=');
  const std::string path = argument.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : argument.substr(equals + 1);
  const int source = diagnostics.add_source({text("override '", argument, "'"), value, true});
  const Mark at{source, 1, 1};
  if (equals == std::string::npos || path.empty()) {
    diagnostics.error(at, "expected key.path=value, as in training.steps=100");
    return true;
  }
  std::optional<YamlNode> node =
      read_yaml_value(diagnostics.source(source).text, source, diagnostics);
  if (!node) return false;
  if (node->kind == YamlNode::Kind::null && node->scalar.empty()) {
    diagnostics.error(at, text("there is no value after ", path, "="));
    return true;
  }
  node->mark = at;
  set_at(root, path, std::move(*node), diagnostics);
  return true;
}

std::optional<YamlNode> override_all(std::optional<YamlNode> root,
                                     std::span<const std::string> overrides,
                                     Diagnostics& diagnostics) {
  bool readable = root.has_value();
  YamlNode nowhere{.kind = YamlNode::Kind::map};
  for (const std::string& argument : overrides) {
    readable = apply_override(root ? *root : nowhere, argument, diagnostics) && readable;
  }
  return readable ? std::move(root) : std::nullopt;
}

}  // namespace

std::optional<YamlNode> read_recipe_file(const std::string& path,
                                         std::span<const std::string> overrides,
                                         Diagnostics& diagnostics) {
  std::string content;
  const std::string problem = read_file(path, content);
  if (!problem.empty())
    throw Error(ExitCode::usage, text("cannot read the recipe '", path, "': ", problem));
  return read_recipe_text(path, std::move(content), overrides, diagnostics);
}

std::optional<YamlNode> read_recipe_text(const std::string& name, std::string text,
                                         std::span<const std::string> overrides,
                                         Diagnostics& diagnostics) {
  std::optional<YamlNode> root = TreeReader(diagnostics).read(name, std::move(text));
  return override_all(std::move(root), overrides, diagnostics);
}

}  // namespace boostr
