#include "trainer/recipe_reader.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "trainer/recipe_fields.h"
#include "trainer/recipe_keys.h"
#include "trainer/recipe_suggest.h"
#include "trainer/recipe_value.h"

namespace boostr {

namespace {

std::string join(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : text(path, ".", key);
}

// "; did you mean 'training.steps'?" for keys that another section has.
std::string other_section_hint(const std::string& name) {
  constexpr int most = 3;
  std::string found;
  int count = 0;
  for (const std::string& path : recipe_keys()) {
    if (path != name && !path.ends_with("." + name)) continue;
    if (++count <= most) found += text(found.empty() ? "" : " or ", "'", path, "'");
  }
  return found.empty() ? "" : text("; did you mean ", found, "?");
}

// The key of this section that an unknown one was probably meant to be; empty: none.
std::string_view near_key(const YamlNode& entry, const YamlNode& map,
                          const std::vector<std::string_view>& known) {
  std::vector<std::string_view> unset, set;  // what is not there yet is the likelier meaning
  for (const std::string_view key : known) {
    if (key.ends_with("_" + entry.key)) return key;
    (map.find(key) == nullptr ? unset : set).push_back(key);
  }
  unset.insert(unset.end(), set.begin(), set.end());
  return closest(entry.key, unset);
}

std::string list_of(const std::vector<std::string_view>& keys) {
  std::string list;
  for (const std::string_view key : keys) list += text(list.empty() ? "" : ", ", key);
  return list;
}

/// Reads the entries of one map into one struct.
class SectionReader {
 public:
  SectionReader(const YamlNode& map, std::string path, Mark mark, LoadedRecipe& loaded,
                std::set<std::string>& unread)
      : map_(map), path_(std::move(path)), mark_(mark), loaded_(loaded), unread_(unread) {}

  template <class T>
  void operator()(const ConfigField& field, T& value) {
    known_.push_back(field.key);
    const std::string path = join(path_, field.key);
    const YamlNode* node = map_.find(field.key);
    if (node == nullptr) {
      if (field.required) missing_.push_back(field);
      return;
    }
    constexpr ValueKind kind = kind_of<T>();
    if constexpr (kind == ValueKind::section) {
      read_section(field, *node, path, value);
    } else if constexpr (kind == ValueKind::section_list) {
      read_list(field, *node, path, value);
    } else {
      read_leaf(field, *node, path, value);
    }
  }

  /// To be called when every field has been visited: reports keys that are unknown and keys that
  /// are missing.
  void finish() {
    for (const YamlNode& entry : map_.children) {
      if (std::ranges::find(known_, entry.key) == known_.end()) report_unknown(entry);
    }
    for (const ConfigField& field : missing_) report_missing(field);
  }

 private:
  void place(const YamlNode& node, const std::string& path) {
    loaded_.places[path] = {node.key_mark.known() ? node.key_mark : node.mark, node.mark};
  }

  void report(const YamlNode& node, const std::string& path, const std::string& problem) {
    // Nothing has no place of its own.
    const bool null = node.kind == YamlNode::Kind::null && node.key_mark.known();
    loaded_.diagnostics.error(null ? node.key_mark : node.mark, text(path, ": ", problem));
    unread_.insert(path);
  }

  void report_unknown(const YamlNode& entry) {
    unread_.insert(join(path_, "?"));
    if (foreign_model_) return;
    const std::string where = path_.empty() ? "at the top level" : "in " + path_;
    std::string message = text("unknown key '", entry.key, "' ", where);
    constexpr int most_hints = 50;  // as many as are shown
    if (++unknown_ <= most_hints) message += hint_for(entry);
    loaded_.diagnostics.error(entry.key_mark, message);
  }

  // What an unknown key was probably meant to be, as the end of a message.
  std::string hint_for(const YamlNode& entry) {
    const std::string_view near = near_key(entry, map_, known_);
    const bool is_ending = near.ends_with("_" + entry.key);
    const std::string foreign = foreign_key_hint(entry.key);
    std::string hint = is_ending ? "" : other_section_hint(entry.key);
    if (hint.empty() && !is_ending && !foreign.empty()) hint = "; " + foreign;
    if (hint.empty() && !near.empty()) {
      hint = text("; did you mean '", near, "'?");
      // The typo explains why the key is missing: one cause, one message.
      std::erase_if(missing_, [&](const ConfigField& field) { return field.key == near; });
      if (map_.find(near) == nullptr) unread_.insert(join(path_, near));
    }
    return hint.empty() ? "; expected one of " + list_of(known_) : hint;
  }

  void report_missing(const ConfigField& field) {
    unread_.insert(join(path_, field.key));
    if (foreign_model_) return;
    const std::string where = path_.empty() ? "" : " in " + path_;
    loaded_.diagnostics.error(mark_,
                              text("missing key '", field.key, "'", where, " (", field.doc, ")"));
  }

  template <class T>
  void read_leaf(const ConfigField& field, const YamlNode& node, const std::string& path,
                 T& value) {
    const std::string problem = read_value(field, node, value);
    if (!problem.empty()) {
      const auto& others = field.absent.values;
      const bool other = std::ranges::find(others, node.scalar) != others.end();
      foreign_model_ = foreign_model_ || (other && path == "model.type");
      return report(node, path, problem);
    }
    if (!field.applies) {
      loaded_.diagnostics.warning(node.key_mark,
                                  text(path, " has no effect here: only if ", field.applies_if));
    }
    place(node, path);
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
    const Mark mark = node.key_mark.known() ? node.key_mark : node.mark;
    SectionReader reader(node, path, mark, loaded_, unread_);
    fields(section, reader);
    reader.finish();
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
  std::set<std::string>& unread_;
  std::vector<std::string_view> known_;
  std::vector<ConfigField> missing_;
  int unknown_ = 0;
  bool foreign_model_ =
      false;  // of a family that this build does not have: its keys mean nothing here
};

}  // namespace

std::set<std::string> read_recipe(const YamlNode& root, LoadedRecipe& loaded) {
  std::set<std::string> unread;
  SectionReader reader(root, "", {0, 1, 1}, loaded, unread);
  fields(loaded.recipe, reader);
  reader.finish();
  return unread;
}

}  // namespace boostr
