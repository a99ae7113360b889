#include <string_view>
#include <vector>

#include "trainer/recipe_fields.h"
#include "trainer/recipe_schema.h"
#include "trainer/recipe_value.h"

namespace boostr {

namespace {

constexpr std::string_view introduction = R"(# The recipe

<!-- Generated: build/bin/boostr-train schema --markdown > docs/recipe.md -->

A recipe is a YAML file that says what one training run is. `boostr-train recipe.yaml` runs it, `boostr-train check
recipe.yaml` only checks it, `boostr-train config recipe.yaml` prints it with every default filled in and where each value
comes from, `boostr-train schema` prints its JSON Schema for editors. [recipes/quickstart.yaml](../recipes/quickstart.yaml) is
a complete one.

- **Overrides** follow the recipe on the command line: `boostr-train recipe.yaml training.steps=50 data.train.0.weight=2`.
  They pass the same checks. A list is indexed from 0; the index one past its end appends.
- **`extends: base.yaml`** at the top level, relative to the file that says it, puts another recipe below this one: sections
  are merged key by key, lists and single values are replaced.
- **Values** are those of YAML 1.2 without its traps: `true` and `false` (not `yes`), decimal numbers without leading zeros,
  finite. Sizes take `k M G T` (powers of 1000) or `Ki Mi Gi Ti` (powers of 1024), as in `512Mi`; durations take
  `d h m s ms`, as in `3h50m`, or are seconds. Where it says so, `-1` stands for what is inferred.
- **Relative paths** are relative to the working directory.
- **Errors** are reported all at once, each with file, line and column, before anything is started; the exit code is 2.
  Anchors, aliases, tags and duplicate keys are errors; a recipe is at most 1 MiB and 32 levels deep.
- **What this build does not have** is refused at its key. Warnings are about keys without effect; they change nothing.
)";

struct Row {
  std::string key, takes, fallback, meaning;
};

/// The keys of one section, and the sections inside it.
struct Table {
  std::string path;
  std::string doc;
  std::vector<Row> rows;
  std::vector<Table> inner;
};

template <class Section>
Table table_of(std::string path, std::string_view doc, const Section& section);

std::string missing_here(const ConfigField& field, ValueKind kind) {
  if (field.absent.what.empty()) return {};
  std::string values;
  for (const std::string_view value : field.absent.values) {
    values += text(values.empty() ? "" : ", ", "`", value, "`");
  }
  if (kind == ValueKind::integer) values = text("above ", field.absent.above);
  if (kind == ValueKind::boolean) values = "`true`";
  return text("; not in this build: ", values);
}

struct TableWriter {
  Table table;

  template <class T>
  void operator()(const ConfigField& field, const T& value) {
    constexpr ValueKind kind = kind_of<T>();
    const std::string path = text(table.path, table.path.empty() ? "" : ".", field.key);
    std::string fallback = field.required ? "required" : "";
    if constexpr (kind == ValueKind::section) {
      table.inner.push_back(table_of(path, field.doc, value));
    } else if constexpr (kind == ValueKind::section_list) {
      table.inner.push_back(table_of(path + "[]", field.doc, typename T::value_type{}));
      if (fallback.empty()) fallback = "none";
    } else if (!field.required) {
      const std::string printed = print_value(field, value);
      fallback = printed.empty() || printed == "\"\"" ? "not set" : text("`", printed, "`");
    }
    std::string meaning(field.doc);
    if (!field.applies_if.empty()) meaning += text(" (only if ", field.applies_if, ")");
    meaning += missing_here(field, kind);
    table.rows.push_back({std::string(field.key), expectation(field, kind), fallback, meaning});
  }
};

template <class Section>
Table table_of(std::string path, std::string_view doc, const Section& section) {
  TableWriter writer{{std::move(path), std::string(doc), {}, {}}};
  fields(section, writer);
  return std::move(writer.table);
}

std::string render(const Table& table) {
  std::string page = table.path.empty() ? "\n## Top level\n"
                                        : text("\n## `", table.path, "`\n\n", table.doc, "\n");
  page += "\n| key | takes | default | meaning |\n|---|---|---|---|\n";
  for (const Row& row : table.rows) {
    page +=
        text("| `", row.key, "` | ", row.takes, " | ", row.fallback, " | ", row.meaning, " |\n");
  }
  for (const Table& inner : table.inner) page += render(inner);
  return page;
}

}  // namespace

std::string recipe_reference() { return text(introduction, render(table_of("", "", Recipe{}))); }

}  // namespace boostr
