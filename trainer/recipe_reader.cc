#include "trainer/recipe_reader.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "trainer/recipe_fields.h"
#include "trainer/recipe_suggest.h"
#include "trainer/recipe_value.h"

namespace boostr {

namespace {

std::string join(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : text(path, ".", key);
}

/// Where every key of the recipe lives: (its section, its name).
class KeyLister {
 public:
  struct Key {
    std::string section;
    std::string name;
  };
  static std::vector<Key> all_keys() {
    KeyLister lister;
    const Recipe recipe;
    fields(recipe, lister);
    return std::move(lister.keys_);
  }

  template <class T>
  void operator()(const ConfigField& field, const T& value) {
    keys_.push_back({section_, std::string(field.key)});
    constexpr ValueKind kind = kind_of<T>();
    if constexpr (kind == ValueKind::section) {
      inside(join(section_, field.key), value);
    } else if constexpr (kind == ValueKind::section_list) {
      inside(join(section_, field.key), typename T::value_type{});
    }
  }

 private:
  template <class Section>
  void inside(const std::string& path, const Section& section) {
    const std::string outer = std::exchange(section_, path);
    fields(section, *this);
    section_ = outer;
  }

  std::string section_;
  std::vector<Key> keys_;
};

// "; did you mean 'training.steps'?" for keys that another section has.
std::string other_section_hint(const std::string& name) {
  std::string found;
  int count = 0;
  for (const KeyLister::Key& key : KeyLister::all_keys()) {
    if (key.name != name || ++count > 3) continue;
    found += text(found.empty() ? "" : " or ", "'", join(key.section, key.name), "'");
  }
  return found.empty() ? "" : text("; did you mean ", found, "?");
}

/// What an unknown key was probably meant to be, as the end of a message.
std::string unknown_key_hint(const YamlNode& entry, const YamlNode& map,
                             const std::vector<std::string_view>& known) {
  std::string hint = other_section_hint(entry.key);
  if (!hint.empty()) return hint;
  hint = foreign_key_hint(entry.key);
  if (!hint.empty()) return "; " + hint;
  std::vector<std::string_view> unset, set;  // what is not there yet is the likelier meaning
  for (const std::string_view key : known) (map.find(key) == nullptr ? unset : set).push_back(key);
  unset.insert(unset.end(), set.begin(), set.end());
  const std::string_view near = closest(entry.key, unset);
  if (!near.empty()) return text("; did you mean '", near, "'?");
  std::string list;
  for (const std::string_view key : known) list += text(list.empty() ? "" : ", ", key);
  return "; expected one of " + list;
}

/// Reads the entries of one map into one struct.
class SectionReader {
 public:
  SectionReader(const YamlNode& map, std::string path, Mark mark, LoadedRecipe& loaded)
      : map_(map), path_(std::move(path)), mark_(mark), loaded_(loaded) {}

  template <class T>
  void operator()(const ConfigField& field, T& value) {
    known_.push_back(field.key);
    const YamlNode* node = map_.find(field.key);
    if (node == nullptr) {
      if (field.required) report_missing(field);
      return;
    }
    const std::string path = join(path_, field.key);
    constexpr ValueKind kind = kind_of<T>();
    if constexpr (kind == ValueKind::section) {
      read_section(field, *node, path, value);
    } else if constexpr (kind == ValueKind::section_list) {
      read_list(field, *node, path, value);
    } else {
      const std::string problem = read_value(field, *node, value);
      if (!problem.empty()) return report(*node, path, problem);
      if (!field.applies) {
        loaded_.diagnostics.warning(node->key_mark,
                                    text(path, " has no effect here: only if ", field.applies_if));
      }
      place(*node, path);
    }
  }

  /// To be called when every field has been visited.
  void report_unknown() {
    for (const YamlNode& entry : map_.children) {
      if (std::ranges::find(known_, entry.key) != known_.end()) continue;
      const std::string where = path_.empty() ? "at the top level" : "in " + path_;
      loaded_.diagnostics.error(entry.key_mark, text("unknown key '", entry.key, "' ", where,
                                                     unknown_key_hint(entry, map_, known_)));
    }
  }

 private:
  void place(const YamlNode& node, const std::string& path) {
    const Mark key = node.key_mark.known() ? node.key_mark : node.mark;
    loaded_.places[path] = {key, node.mark};
  }
  void report(const YamlNode& node, const std::string& path, const std::string& problem) {
    loaded_.diagnostics.error(node.mark, text(path, ": ", problem));
  }
  void report_missing(const ConfigField& field) {
    const std::string where = path_.empty() ? "" : " in " + path_;
    loaded_.diagnostics.error(mark_,
                              text("missing key '", field.key, "'", where, " (", field.doc, ")"));
  }

  template <class Section>
  void read_section(const ConfigField& field, const YamlNode& node, const std::string& path,
                    Section& section) {
    if (node.kind != YamlNode::Kind::map && node.kind != YamlNode::Kind::null) {
      return report(
          node, path,
          text("expected ", expectation(field, ValueKind::section), ", got ", describe(node)));
    }
    place(node, path);
    SectionReader reader(node, path, node.key_mark.known() ? node.key_mark : node.mark, loaded_);
    fields(section, reader);
    reader.report_unknown();
  }

  template <class Section>
  void read_list(const ConfigField& field, const YamlNode& node, const std::string& path,
                 std::vector<Section>& list) {
    const bool is_list = node.kind == YamlNode::Kind::list;
    if (!is_list || (field.required && node.children.empty())) {
      const std::string got = is_list ? "an empty list" : describe(node);
      return report(node, path,
                    text("expected ", expectation(field, ValueKind::section_list), ", got ", got));
    }
    place(node, path);
    list.clear();
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      read_section(field, node.children[i], text(path, ".", i), list.emplace_back());
    }
  }

  const YamlNode& map_;
  std::string path_;
  Mark mark_;
  LoadedRecipe& loaded_;
  std::vector<std::string_view> known_;
};

}  // namespace

void read_recipe(const YamlNode& root, LoadedRecipe& loaded) {
  SectionReader reader(root, "", {0, 1, 1}, loaded);
  fields(loaded.recipe, reader);
  reader.report_unknown();
}

}  // namespace boostr
