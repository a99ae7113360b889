#include "trainer/recipe_value.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "trainer/recipe_scalar.h"
#include "trainer/recipe_suggest.h"

namespace boostr {

namespace {

bool in_range(const Range& range, double value) {
  return (range.min_excluded ? value > range.min : value >= range.min) &&
         (range.max_excluded ? value < range.max : value <= range.max);
}

// 1048576 rather than 1.04858e+06, 0.5 rather than 5.0e-01.
std::string number_text(double value) {
  const bool whole = value == std::floor(value) && std::abs(value) < 1e16;
  return whole ? text(static_cast<std::int64_t>(value)) : print_real(value);
}

// Bounds from here on only keep products from overflowing; they are named when they are hit.
constexpr double unspoken_max = 1 << 20;

// The accepted numbers in words; empty if any.
std::string range_text(const ConfigField& field) {
  const auto [min, max, min_excluded, max_excluded] = field.range;
  const bool has_min = std::isfinite(min), has_max = std::isfinite(max);
  if (has_min && has_max && max < unspoken_max) {
    return text(" in ", min_excluded ? "(" : "[", number_text(min), ", ", number_text(max),
                max_excluded ? ")" : "]");
  }
  if (has_min) return text(min_excluded ? " > " : " >= ", number_text(min));
  return {};
}

std::string wrong(const ConfigField& field, ValueKind kind, const YamlNode& node,
                  const std::string& hint = {}) {
  return text("expected ", expectation(field, kind), ", got ", describe(node),
              hint.empty() ? "" : "; ", hint);
}

bool is_plain(const YamlNode& node) { return node.kind == YamlNode::Kind::scalar && !node.quoted; }

bool is_string(const YamlNode& node) {
  return node.kind == YamlNode::Kind::scalar &&
         (node.quoted || scalar_kind(node.scalar) == ScalarKind::string);
}

bool contains(const std::vector<std::string_view>& values, std::string_view value) {
  return std::ranges::find(values, value) != values.end();
}

// Why something that looks like a number is none here.
std::string number_hint(const YamlNode& node, bool whole) {
  if (node.kind != YamlNode::Kind::scalar) return {};
  std::string_view digits = node.scalar;
  if (digits.starts_with('-') || digits.starts_with('+')) digits.remove_prefix(1);
  const ScalarKind kind = scalar_kind(node.scalar);
  const bool numeric = kind == ScalarKind::integer || kind == ScalarKind::real;
  if (node.quoted) return numeric ? "remove the quotes" : "";
  if (digits.starts_with("0x") || digits.starts_with("0o")) return "write it in decimal";
  const bool leading_zero =
      numeric && digits.size() > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9';
  if (leading_zero) return "write it without the leading zero";
  if (kind == ScalarKind::string && digits.find_first_of("_,") != std::string_view::npos) {
    return "write it without separators";
  }
  const std::optional<double> real = parse_real(node.scalar);
  if (whole && kind == ScalarKind::real && real && *real == std::floor(*real) &&
      std::abs(*real) < 1e15) {
    return "write " + number_text(*real);
  }
  if (whole && kind == ScalarKind::integer && !parse_integer(node.scalar)) return "it is too large";
  if (kind == ScalarKind::real && !real) return "only finite numbers that a double can hold";
  return {};
}

bool asks_to_infer(const ConfigField& field, const YamlNode& node) {
  return !field.infers.empty() && is_plain(node) && parse_real(node.scalar) == -1.0;
}

std::string check_number(const ConfigField& field, ValueKind kind, const YamlNode& node,
                         double value) {
  if (!in_range(field.range, value)) {
    const bool too_large = value > field.range.max && field.range.max >= unspoken_max;
    return wrong(field, kind, node, too_large ? "at most " + number_text(field.range.max) : "");
  }
  if (value > field.absent.above) {
    return text("this build has no ", field.absent.what, "; set ", number_text(field.absent.above));
  }
  return {};
}

template <class Integer>
std::string read_integer(const ConfigField& field, const YamlNode& node, Integer& value) {
  if (asks_to_infer(field, node)) {
    if (value > 0) value = -1;  // otherwise the default itself says so
    return {};
  }
  std::optional<std::int64_t> read;
  if (is_plain(node)) {
    read = field.unit == Unit::bytes ? parse_bytes(node.scalar) : parse_integer(node.scalar);
  }
  if (!read) return wrong(field, ValueKind::integer, node, number_hint(node, true));
  if (!std::in_range<Integer>(*read)) return wrong(field, ValueKind::integer, node);
  std::string problem = check_number(field, ValueKind::integer, node, static_cast<double>(*read));
  if (problem.empty()) value = static_cast<Integer>(*read);
  return problem;
}

std::string joined(const std::vector<std::string_view>& values) {
  std::string list;
  for (const std::string_view value : values) list += text(list.empty() ? "" : ", ", value);
  return list;
}

template <class Integer>
std::string print_integer(const ConfigField& field, Integer value) {
  if (!field.infers.empty() && value <= 0) return "-1";
  return field.unit == Unit::bytes ? print_bytes(static_cast<std::int64_t>(value)) : text(value);
}

}  // namespace

std::string expectation(const ConfigField& field, ValueKind kind) {
  const std::string range = range_text(field);
  const std::string inferred = field.infers.empty() ? "" : text(", or -1 (", field.infers, ")");
  switch (kind) {
    case ValueKind::boolean:
      return "true or false";
    case ValueKind::integer:
      if (field.unit == Unit::bytes) return text("bytes", range, ", as 4096 or 512Mi", inferred);
      return text("an integer", range, inferred);
    case ValueKind::real:
      if (field.unit == Unit::seconds) return text("seconds", range, ", as 90 or 3h50m", inferred);
      return text("a number", range, inferred);
    case ValueKind::string:
      if (field.choices.empty()) return "a string";
      return text(field.choices.size() > 1 ? "one of " : "", joined(field.choices),
                  field.or_file.empty() ? "" : ", or a path to a ", field.or_file);
    case ValueKind::real_list:
      return text("a list of ", field.count, " numbers", range);
    case ValueKind::section:
      return "a section (key: value)";
    case ValueKind::section_list:
      return "a list of sections (- key: value)";
  }
  return {};
}

std::string describe(const YamlNode& node) {
  if (node.kind == YamlNode::Kind::null) return node.scalar == "an alias" ? node.scalar : "nothing";
  if (node.kind == YamlNode::Kind::list) return "a list";
  if (node.kind == YamlNode::Kind::map) return "a section";
  constexpr std::size_t longest = 60;
  std::string shown = node.scalar.substr(0, longest);
  std::ranges::replace_if(
      shown, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  if (node.scalar.size() > longest) shown += "...";
  return is_string(node) ? text("the string '", shown, "'") : shown;
}

std::string read_value(const ConfigField& field, const YamlNode& node, bool& value) {
  const std::optional<bool> read = is_plain(node) ? parse_bool(node.scalar) : std::nullopt;
  if (!read) return wrong(field, ValueKind::boolean, node);
  if (*read && field.absent.above < 1)
    return text("this build has no ", field.absent.what, "; set false");
  value = *read;
  return {};
}

std::string read_value(const ConfigField& field, const YamlNode& node, int& value) {
  return read_integer(field, node, value);
}

std::string read_value(const ConfigField& field, const YamlNode& node, std::int64_t& value) {
  return read_integer(field, node, value);
}

std::string read_value(const ConfigField& field, const YamlNode& node, std::uint64_t& value) {
  const std::optional<std::uint64_t> read =
      is_plain(node) ? parse_unsigned(node.scalar) : std::nullopt;
  if (!read) return wrong(field, ValueKind::integer, node, number_hint(node, true));
  value = *read;
  return {};
}

std::string read_value(const ConfigField& field, const YamlNode& node, double& value) {
  if (asks_to_infer(field, node)) {
    if (value > 0) value = -1;  // otherwise the default itself says so
    return {};
  }
  std::optional<double> read;
  if (is_plain(node)) {
    read = field.unit == Unit::seconds ? parse_duration(node.scalar) : parse_real(node.scalar);
  }
  if (!read) return wrong(field, ValueKind::real, node, number_hint(node, false));
  std::string problem = check_number(field, ValueKind::real, node, *read);
  if (problem.empty()) value = *read;
  return problem;
}

std::string read_value(const ConfigField& field, const YamlNode& node,
                       std::optional<double>& value) {
  double read = 0;
  std::string problem = read_value(field, node, read);
  if (problem.empty()) value = read;
  return problem;
}

std::string read_value(const ConfigField& field, const YamlNode& node, std::string& value) {
  if (!is_string(node)) {
    const bool needs_quotes = node.kind == YamlNode::Kind::scalar && field.choices.empty();
    return wrong(field, ValueKind::string, node,
                 needs_quotes ? "quote it if it is meant as text" : "");
  }
  if (node.scalar.empty()) return wrong(field, ValueKind::string, node, "it is empty");
  if (contains(field.absent.values, node.scalar)) {
    return text("this build has no ", field.absent.what, " ('", node.scalar,
                "'); it has: ", joined(field.choices));
  }
  const bool is_file = !field.or_file.empty() && node.scalar.ends_with(field.or_file);
  if (!field.choices.empty() && !contains(field.choices, node.scalar) && !is_file) {
    const std::string_view meant = foreign_value(node.scalar);
    const bool known = contains(field.choices, meant);
    const std::string_view near = known ? meant : closest(node.scalar, field.choices);
    return wrong(field, ValueKind::string, node,
                 near.empty() ? "" : text("did you mean '", near, "'?"));
  }
  value = node.scalar;
  return {};
}

std::string read_value(const ConfigField& field, const YamlNode& node, std::vector<double>& value) {
  if (node.kind != YamlNode::Kind::list || node.children.size() != field.count) {
    const std::string got = node.kind == YamlNode::Kind::list
                                ? text("a list of ", node.children.size())
                                : describe(node);
    return text("expected ", expectation(field, ValueKind::real_list), ", got ", got);
  }
  std::vector<double> read;
  for (const YamlNode& child : node.children) {
    std::string problem = read_value(field, child, read.emplace_back());
    if (!problem.empty()) return problem;
  }
  value = std::move(read);
  return {};
}

std::string print_value(const ConfigField&, bool value) { return value ? "true" : "false"; }

std::string print_value(const ConfigField& field, int value) { return print_integer(field, value); }

std::string print_value(const ConfigField& field, std::int64_t value) {
  return print_integer(field, value);
}

std::string print_value(const ConfigField&, std::uint64_t value) { return text(value); }

std::string print_value(const ConfigField& field, double value) {
  if (!field.infers.empty() && value <= 0) return "-1";
  return field.unit == Unit::seconds ? print_duration(value) : print_real(value);
}

std::string print_value(const ConfigField& field, const std::optional<double>& value) {
  return value ? print_value(field, *value) : std::string();
}

std::string print_value(const ConfigField&, const std::string& value) {
  return print_string(value);
}

std::string print_value(const ConfigField& field, const std::vector<double>& value) {
  std::string list;
  for (const double element : value)
    list += text(list.empty() ? "" : ", ", print_value(field, element));
  return text("[", list, "]");
}

}  // namespace boostr
