#include "trainer/recipe_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "kernels/runtime/error.h"

namespace boostr {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// How many digits `text` starts with.
std::size_t digits(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::find_if_not(text, is_digit) - text.begin());
}

bool matches_integer(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return !text.empty() && digits(text) == text.size();
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool matches_real(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  const std::size_t whole = digits(text);
  text.remove_prefix(whole);
  std::size_t fraction = 0;
  if (text.starts_with('.')) {
    fraction = digits(text.substr(1));
    text.remove_prefix(1 + fraction);
  }
  if (whole + fraction == 0) return false;
  if (text.empty()) return true;
  if (text.front() != 'e' && text.front() != 'E') return false;
  return matches_integer(text.substr(1));
}

bool has_leading_zero(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return text.size() > 1 && text[0] == '0' && is_digit(text[1]);
}

template <class Integer>
std::optional<Integer> parse_whole(std::string_view text) {
  if (!matches_integer(text) || has_leading_zero(text)) return std::nullopt;
  if (text.starts_with('+')) text.remove_prefix(1);
  Integer value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct ByteUnit {
  std::string_view name;
  std::int64_t factor;
};
constexpr std::array byte_units = {
    ByteUnit{"Ti", 1LL << 40}, ByteUnit{"Gi", 1LL << 30},    ByteUnit{"Mi", 1LL << 20},
    ByteUnit{"Ki", 1LL << 10}, ByteUnit{"T", 1000000000000}, ByteUnit{"G", 1000000000},
    ByteUnit{"M", 1000000},    ByteUnit{"k", 1000},          ByteUnit{"K", 1000}};

struct TimeUnit {
  std::string_view name;
  double seconds;
};
constexpr std::array time_units = {TimeUnit{"d", 86400}, TimeUnit{"h", 3600}, TimeUnit{"m", 60},
                                   TimeUnit{"s", 1}, TimeUnit{"ms", 1e-3}};

bool is_plain_string(std::string_view value) {
  const auto safe = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '.' || c == '/' || c == '-';
  };
  if (value.empty() || value.front() == '-' || !std::ranges::all_of(value, safe)) return false;
  if (scalar_kind(value) != ScalarKind::string) return false;
  // YAML 1.1 readers take these for booleans.
  std::string lower(value);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  constexpr std::array words = {"yes", "no", "on", "off", "y", "n"};
  return std::ranges::find(words, lower) == words.end();
}

}  // namespace

ScalarKind scalar_kind(std::string_view plain) {
  constexpr std::array nulls = {"", "~", "null", "Null", "NULL"};
  constexpr std::array infinities = {".inf",  ".Inf", ".INF", "+.inf",
                                     "-.inf", ".nan", ".NaN", ".NAN"};
  if (std::ranges::find(nulls, plain) != nulls.end()) return ScalarKind::null;
  if (parse_bool(plain)) return ScalarKind::boolean;
  if (matches_integer(plain)) return ScalarKind::integer;
  if (matches_real(plain)) return ScalarKind::real;
  return std::ranges::find(infinities, plain) != infinities.end() ? ScalarKind::real
                                                                  : ScalarKind::string;
}

std::optional<bool> parse_bool(std::string_view plain) {
  if (plain == "true" || plain == "True" || plain == "TRUE") return true;
  if (plain == "false" || plain == "False" || plain == "FALSE") return false;
  return std::nullopt;
}

std::optional<std::int64_t> parse_integer(std::string_view plain) {
  return parse_whole<std::int64_t>(plain);
}

std::optional<std::uint64_t> parse_unsigned(std::string_view plain) {
  return parse_whole<std::uint64_t>(plain);
}

std::optional<double> parse_real(std::string_view plain) {
  if (!matches_real(plain) || has_leading_zero(plain)) return std::nullopt;
  if (plain.starts_with('+')) plain.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), value);
  if (error != std::errc{} || end != plain.data() + plain.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_bytes(std::string_view plain) {
  std::int64_t factor = 1;
  for (const ByteUnit& unit : byte_units) {
    if (!plain.ends_with(unit.name)) continue;
    plain.remove_suffix(unit.name.size());
    factor = unit.factor;
    break;
  }
  const std::optional<std::int64_t> count = parse_integer(plain);
  std::int64_t bytes = 0;
  if (!count || __builtin_mul_overflow(*count, factor, &bytes)) return std::nullopt;
  return bytes;
}

std::optional<double> parse_duration(std::string_view plain) {
  if (const std::optional<double> seconds = parse_real(plain)) return seconds;
  double seconds = 0;
  std::size_t next = 0;  // units come largest first, each at most once
  while (!plain.empty()) {
    const std::size_t number = plain.find_first_not_of("0123456789.");
    if (number == std::string_view::npos) return std::nullopt;
    const std::optional<double> amount = parse_real(plain.substr(0, number));
    plain.remove_prefix(number);
    const std::string_view name =
        plain.substr(0, std::min(plain.find_first_of("0123456789."), plain.size()));
    const auto unit = std::ranges::find(time_units.begin() + static_cast<std::ptrdiff_t>(next),
                                        time_units.end(), name, &TimeUnit::name);
    if (!amount || unit == time_units.end()) return std::nullopt;
    seconds += *amount * unit->seconds;
    plain.remove_prefix(name.size());
    next = static_cast<std::size_t>(unit - time_units.begin()) + 1;
  }
  return next == 0 ? std::nullopt : std::optional(seconds);
}

std::string print_real(double value) {
  std::array<char, 32> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  std::string text(buffer.data(), end);
  // 1e-08 is a string to YAML 1.1 readers, 1.0e-08 a number to all.
  if (text.find('.') == std::string::npos) text.insert(std::min(text.find('e'), text.size()), ".0");
  return text;
}

std::string print_bytes(std::int64_t value) {
  for (const ByteUnit& unit : byte_units) {
    if (value != 0 && unit.name.size() == 2 && value % unit.factor == 0)
      return text(value / unit.factor, unit.name);
  }
  return text(value);
}

std::string print_duration(double seconds) {
  if (seconds == 0) return "0";
  if (seconds < 0 || seconds != std::floor(seconds) || seconds > 1e12) return print_real(seconds);
  std::string printed;
  auto left = static_cast<std::int64_t>(seconds);
  for (const TimeUnit& unit : time_units) {
    const auto size = static_cast<std::int64_t>(unit.seconds);
    if (size == 0 || left < size) continue;
    printed += text(left / size, unit.name);
    left %= size;
  }
  return printed;
}

std::string print_string(std::string_view value) {
  if (is_plain_string(value)) return std::string(value);
  std::string quoted = "\"";
  for (char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      constexpr std::string_view hex = "0123456789abcdef";
      quoted += {'\\', 'x', hex[byte >> 4], hex[byte & 15]};
      continue;
    }
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace boostr
