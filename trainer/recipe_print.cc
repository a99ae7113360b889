#include "trainer/recipe_print.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "trainer/recipe_fields.h"
#include "trainer/recipe_value.h"

namespace boostr {

namespace {

/// One line of YAML. `value` is that of the key at `path`; a section's heading has none.
struct Line {
  std::string yaml;
  std::string path;
  std::string value;
  std::string inferred;  // what -1 stands for, where the default says -1
};

/// Writes a recipe line by line along the table of fields.
class Writer {
 public:
  static std::vector<Line> lines(const Recipe& recipe) {
    Writer writer;
    fields(recipe, writer);
    return std::move(writer.lines_);
  }

  template <class T>
  void operator()(const ConfigField& field, const T& value) {
    constexpr ValueKind kind = kind_of<T>();
    const std::string path = path_.empty() ? std::string(field.key) : text(path_, ".", field.key);
    if constexpr (kind == ValueKind::section) {
      add({text(field.key, ":"), path, "", ""});
      inside(path, "  ", value);
    } else if constexpr (kind == ValueKind::section_list) {
      list(field, path, value);
    } else {
      const std::string printed = print_value(field, value);
      const bool absent = printed.empty() || (field.nullable && printed == "\"\"");
      if (absent || (!field.applies && has_default(field, value))) return;
      add({text(field.key, ": ", printed), path, printed, std::string(field.infers)});
    }
  }

 private:
  void add(Line line) {
    line.yaml.insert(0, indent_ + dash_);
    if (!dash_.empty()) {
      indent_ += "  ";
      dash_.clear();
    }
    lines_.push_back(std::move(line));
  }

  template <class Section>
  void inside(const std::string& path, const std::string& deeper, const Section& section) {
    const std::string outer_path = std::exchange(path_, path);
    const std::string outer_indent = std::exchange(indent_, indent_ + deeper);
    fields(section, *this);
    path_ = outer_path;
    indent_ = outer_indent;
  }

  template <class Section>
  void list(const ConfigField& field, const std::string& path,
            const std::vector<Section>& sections) {
    add({text(field.key, sections.empty() ? ": []" : ":"), path, sections.empty() ? "[]" : "", ""});
    for (std::size_t i = 0; i < sections.size(); ++i) {
      dash_ = "- ";
      inside(text(path, ".", i), "  ", sections[i]);
    }
  }

  // A key without effect is worth a line only if somebody set it.
  template <class T>
  bool has_default(const ConfigField& field, const T& value) const;

  std::string path_, indent_, dash_;
  std::vector<Line> lines_;
};

/// The printed default of every key that may have no effect.
class Defaults {
 public:
  static const std::map<std::string, std::string>& of_recipe() {
    static const std::map<std::string, std::string> values = [] {
      Defaults defaults;
      const Recipe recipe;
      fields(recipe, defaults);
      return std::move(defaults.values_);
    }();
    return values;
  }

  template <class T>
  void operator()(const ConfigField& field, const T& value) {
    constexpr ValueKind kind = kind_of<T>();
    const std::string path = text(path_, ".", field.key);
    if constexpr (kind == ValueKind::section) {
      const std::string outer = std::exchange(path_, path);
      fields(value, *this);
      path_ = outer;
    } else if constexpr (kind != ValueKind::section_list) {
      values_[path.substr(1)] = print_value(field, value);
    }
  }

 private:
  std::string path_;
  std::map<std::string, std::string> values_;
};

template <class T>
bool Writer::has_default(const ConfigField& field, const T& value) const {
  const auto found = Defaults::of_recipe().find(text(path_, ".", field.key));
  return found != Defaults::of_recipe().end() && found->second == print_value(field, value);
}

std::string origin(const Line& line, const LoadedRecipe& loaded) {
  const auto place = loaded.places.find(line.path);
  if (place != loaded.places.end()) return loaded.diagnostics.describe(place->second.value);
  const auto value = Defaults::of_recipe().find(line.path);
  const bool inferred = value != Defaults::of_recipe().end() && value->second == "-1";
  return inferred ? text("default: ", line.inferred) : "default";
}

}  // namespace

std::string resolved_yaml(const Recipe& recipe) {
  std::string yaml;
  for (const Line& line : Writer::lines(recipe)) yaml += line.yaml + "\n";
  return yaml;
}

std::string explained_yaml(const LoadedRecipe& loaded) {
  constexpr std::size_t column = 48;
  std::string yaml;
  for (const Line& line : Writer::lines(loaded.recipe)) {
    yaml += line.yaml;
    if (!line.value.empty()) {
      yaml.append(line.yaml.size() < column ? column - line.yaml.size() : 1, ' ');
      yaml += " # " + origin(line, loaded);
    }
    yaml += "\n";
  }
  return yaml;
}

std::vector<RecipeChange> changes(const Recipe& before, const Recipe& after) {
  const std::vector<Line> old_lines = Writer::lines(before), new_lines = Writer::lines(after);
  const auto value_in = [](const std::vector<Line>& lines, const std::string& path) {
    const auto line = std::ranges::find(lines, path, &Line::path);
    return line == lines.end() ? std::string() : line->value;
  };
  std::vector<RecipeChange> found;
  for (const Line& line : new_lines) {
    const std::string old_value = value_in(old_lines, line.path);
    if (old_value != line.value) found.push_back({line.path, old_value, line.value});
  }
  for (const Line& line : old_lines) {
    const bool gone = std::ranges::find(new_lines, line.path, &Line::path) == new_lines.end();
    if (gone && !line.value.empty()) found.push_back({line.path, line.value, ""});
  }
  return found;
}

}  // namespace boostr
