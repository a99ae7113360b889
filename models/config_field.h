#pragma once

#include <concepts>
#include <cstddef>
#include <limits>
#include <string_view>
#include <type_traits>
#include <vector>

/// What is known about one key of a configuration besides its type and its default: the row of the
/// one table that parsing, checking, printing, the JSON Schema and the reference page are made
/// from.
///
/// A struct's table is a free function `fields(c, field)` that calls `field(ConfigField{...},
/// c.member)` for each key, in the order in which people should read them.
namespace boostr {

/// The numbers that a field accepts.
struct Range {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool min_excluded = false;
  bool max_excluded = false;
};

constexpr Range at_least(double min) { return {.min = min}; }
constexpr Range above(double min) { return {.min = min, .min_excluded = true}; }
constexpr Range between(double min, double max) { return {.min = min, .max = max}; }
/// [min, max)
constexpr Range below(double min, double max) {
  return {.min = min, .max = max, .max_excluded = true};
}

/// Units that a value may be written with: `512Mi`, `3h50m`.
enum class Unit { none, bytes, seconds };

/// Values that the format knows and this build refuses, so that nothing is read and then ignored.
struct NotInThisBuild {
  std::vector<std::string_view> values = {};  ///< of a string
  double above =
      std::numeric_limits<double>::infinity();  ///< of a number; of a bool: 0 refuses true
  std::string_view what = {};                   ///< as in "this build has no ..."
};

struct ConfigField {
  std::string_view key;
  std::string_view doc;  ///< one line
  Range range = {};
  Unit unit = Unit::none;
  std::vector<std::string_view> choices = {};  ///< accepted values of a string; empty: any
  std::string_view or_file = {};  ///< beside the choices, paths that end like this (".csv")
  NotInThisBuild absent = {};
  std::string_view infers = {};  ///< what -1 stands for; empty: -1 means nothing special
  std::size_t count = 0;         ///< exact length of a list of numbers
  bool required = false;
  bool nullable = false;             ///< an empty string stands for an absent key
  bool applies = true;               ///< false: has no effect beside the values read before it
  std::string_view applies_if = {};  ///< that condition in words
};

/// `C` is `T` or `const T`: one table serves reading and printing.
template <class C, class T>
concept FieldsOf = std::same_as<std::remove_const_t<C>, T>;

}  // namespace boostr
