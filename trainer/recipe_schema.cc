#include "trainer/recipe_schema.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "trainer/recipe_fields.h"
#include "trainer/recipe_value.h"

namespace boostr {

namespace {

using Json = nlohmann::ordered_json;  // keys in the order of the table

template <class Section>
Json section_schema(const Section& section);

Json number(double value, bool whole) {
  return whole ? Json(static_cast<std::int64_t>(value)) : Json(value);
}

// The schema of a number in the field's range.
Json number_schema(const ConfigField& field, bool whole) {
  Json schema = {{"type", whole ? "integer" : "number"}};
  const Range& range = field.range;
  const double max = std::min(range.max, field.absent.above);
  if (std::isfinite(range.min)) {
    schema[range.min_excluded ? "exclusiveMinimum" : "minimum"] = number(range.min, whole);
  }
  if (std::isfinite(max)) {
    schema[range.max_excluded ? "exclusiveMaximum" : "maximum"] = number(max, whole);
  }
  return schema;
}

Json with_alternatives(const ConfigField& field, Json schema) {
  Json any = Json::array({std::move(schema)});
  if (field.unit == Unit::bytes) {
    any.push_back({{"type", "string"}, {"pattern", "^[0-9]+(k|K|M|G|T|Ki|Mi|Gi|Ti)$"}});
  }
  if (field.unit == Unit::seconds) {
    any.push_back({{"type", "string"}, {"pattern", "^([0-9]+(\\.[0-9]+)?(d|h|m|s|ms))+$"}});
  }
  if (!field.infers.empty()) any.push_back({{"const", -1}});
  return any.size() == 1 ? any[0] : Json{{"anyOf", any}};
}

template <class T>
Json value_schema(const ConfigField& field, const T& value) {
  constexpr ValueKind kind = kind_of<T>();
  if constexpr (kind == ValueKind::section) {
    Json schema = section_schema(value);
    // All keys of a section may be commented out.
    if (!field.required) schema["type"] = {"object", "null"};
    return schema;
  } else if constexpr (kind == ValueKind::section_list) {
    Json schema = {{"type", "array"}, {"items", section_schema(typename T::value_type{})}};
    if (field.required) schema["minItems"] = 1;
    return schema;
  } else if constexpr (kind == ValueKind::boolean) {
    return field.absent.above < 1 ? Json{{"const", false}} : Json{{"type", "boolean"}};
  } else if constexpr (kind == ValueKind::string) {
    if (field.choices.empty()) return {{"type", "string"}, {"minLength", 1}};
    const Json choices{{"enum", field.choices}};
    if (field.or_file.empty()) return choices;
    const Json file{{"type", "string"}, {"pattern", text("\\", field.or_file, "$")}};
    return {{"anyOf", Json::array({choices, file})}};
  } else if constexpr (kind == ValueKind::real_list) {
    return {{"type", "array"},
            {"items", number_schema(field, false)},
            {"minItems", field.count},
            {"maxItems", field.count}};
  } else {
    return with_alternatives(field, number_schema(field, kind == ValueKind::integer));
  }
}

// The default as JSON; null where there is none.
template <class T>
Json default_value(const ConfigField& field, const T& value) {
  constexpr ValueKind kind = kind_of<T>();
  if constexpr (kind == ValueKind::section || std::same_as<T, std::optional<double>>) {
    return nullptr;
  } else if constexpr (kind == ValueKind::section_list) {
    return field.required ? Json() : Json::array();
  } else {
    const std::string printed = print_value(field, value);
    if (field.required || printed == "\"\"") return nullptr;
    return printed == "-1" ? Json(-1) : Json(value);
  }
}

std::string description(const ConfigField& field) {
  std::string out(field.doc);
  if (!field.infers.empty()) out += text("; -1: ", field.infers);
  if (!field.applies_if.empty()) out += text(" (only if ", field.applies_if, ")");
  return out;
}

/// Collects the properties of one section.
struct SchemaWriter {
  Json properties = Json::object();

  template <class T>
  void operator()(const ConfigField& field, const T& value) {
    Json schema = {{"description", description(field)}};
    schema.update(value_schema(field, value));
    const Json fallback = default_value(field, value);
    if (!fallback.is_null()) schema["default"] = fallback;
    properties[std::string(field.key)] = std::move(schema);
  }
};

template <class Section>
Json section_schema(const Section& section) {
  SchemaWriter writer;
  fields(section, writer);
  return {{"type", "object"},
          {"properties", std::move(writer.properties)},
          {"additionalProperties", false}};
}

/// Collects which keys must be there, as a schema that is laid over the whole.
struct RequiredWriter {
  Json keys = Json::array();
  Json sections = Json::object();

  template <class T>
  void operator()(const ConfigField& field, const T& value) {
    if (field.required) keys.push_back(field.key);
    if constexpr (kind_of<T>() == ValueKind::section) {
      add(field, required_in(value));
    } else if constexpr (kind_of<T>() == ValueKind::section_list) {
      const Json items = required_in(typename T::value_type{});
      if (!items.empty()) add(field, {{"items", items}});
    }
  }

  template <class Section>
  static Json required_in(const Section& section) {
    RequiredWriter writer;
    fields(section, writer);
    Json schema = Json::object();
    if (!writer.keys.empty()) schema["required"] = std::move(writer.keys);
    if (!writer.sections.empty()) schema["properties"] = std::move(writer.sections);
    return schema;
  }

  void add(const ConfigField& field, Json schema) {
    if (!schema.empty()) sections[std::string(field.key)] = std::move(schema);
  }
};

}  // namespace

std::string recipe_schema() {
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"title", "boostr recipe"},
                 {"description", "What one training run of boostr-train is"}};
  schema.update(section_schema(Recipe{}));
  schema["properties"]["extends"] = {
      {"description", "recipe below this one, relative to this file; its maps are merged into"},
      {"type", "string"},
      {"minLength", 1}};
  // A recipe that extends another may leave to it what must be there.
  schema["if"] = {{"not", {{"required", {"extends"}}}}};
  schema["then"] = RequiredWriter::required_in(Recipe{});
  return schema.dump(2) + "\n";
}

}  // namespace boostr
