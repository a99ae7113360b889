#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/config_field.h"
#include "trainer/yaml_reader.h"

namespace boostr {

/// The kinds of value that a key can hold.
enum class ValueKind { boolean, integer, real, string, real_list, section, section_list };

/// The kind that a member of type `T` is written as.
template <class T>
consteval ValueKind kind_of() {
  if constexpr (std::same_as<T, bool>) return ValueKind::boolean;
  if constexpr (std::integral<T>) return ValueKind::integer;
  if constexpr (std::same_as<T, double> || std::same_as<T, std::optional<double>>)
    return ValueKind::real;
  if constexpr (std::same_as<T, std::string>) return ValueKind::string;
  if constexpr (std::same_as<T, std::vector<double>>) return ValueKind::real_list;
  if constexpr (requires(T list) { list.emplace_back(); } && !std::same_as<T, std::string>) {
    return ValueKind::section_list;
  }
  return ValueKind::section;
}

/// What the key takes, in words: "an integer >= 1, or -1 (num_attention_heads)".
std::string expectation(const ConfigField& field, ValueKind kind);
/// What was written, in words: "the string 'abc'".
std::string describe(const YamlNode& node);

/// Each sets `value` from `node` if it is right for `field`, and otherwise says what is wrong;
/// empty: nothing is.
/// `-1` in a field that infers leaves a default of 0 or less, which stands for it.
std::string read_value(const ConfigField& field, const YamlNode& node, bool& value);
std::string read_value(const ConfigField& field, const YamlNode& node, int& value);
std::string read_value(const ConfigField& field, const YamlNode& node, std::int64_t& value);
std::string read_value(const ConfigField& field, const YamlNode& node, std::uint64_t& value);
std::string read_value(const ConfigField& field, const YamlNode& node, double& value);
std::string read_value(const ConfigField& field, const YamlNode& node,
                       std::optional<double>& value);
std::string read_value(const ConfigField& field, const YamlNode& node, std::string& value);
std::string read_value(const ConfigField& field, const YamlNode& node, std::vector<double>& value);

/// The value as YAML that reads back to it.
std::string print_value(const ConfigField& field, bool value);
std::string print_value(const ConfigField& field, int value);
std::string print_value(const ConfigField& field, std::int64_t value);
std::string print_value(const ConfigField& field, std::uint64_t value);
std::string print_value(const ConfigField& field, double value);
std::string print_value(const ConfigField& field, const std::optional<double>& value);
std::string print_value(const ConfigField& field, const std::string& value);
std::string print_value(const ConfigField& field, const std::vector<double>& value);

}  // namespace boostr
