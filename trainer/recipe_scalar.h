#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "models/config_field.h"

/// The scalars of a recipe: YAML 1.2's core schema without its traps (no octal, no hexadecimal, no
/// `yes`, finite numbers only), and the units that sizes and durations may carry. What is printed
/// reads back to the same value.
namespace boostr {

/// What a plain (unquoted) scalar is.
enum class ScalarKind { null, boolean, integer, real, string };
ScalarKind scalar_kind(std::string_view plain);

std::optional<bool> parse_bool(std::string_view plain);
/// Decimal integers without leading zeros that fit the type.
std::optional<std::int64_t> parse_integer(std::string_view plain);
std::optional<std::uint64_t> parse_unsigned(std::string_view plain);
/// Finite decimal numbers; integers too.
std::optional<double> parse_real(std::string_view plain);
/// Bytes: an integer, alone or with k, M, G, T (powers of 1000) or Ki, Mi, Gi, Ti (powers of 1024),
/// as in `512Mi`.
std::optional<std::int64_t> parse_bytes(std::string_view plain);
/// Seconds: a number, or amounts with d, h, m, s, ms, largest first, as in `3h50m`.
std::optional<double> parse_duration(std::string_view plain);

std::string print_real(double value);
std::string print_bytes(std::int64_t value);
std::string print_duration(double seconds);
/// Plain where YAML would read the same string back, quoted otherwise.
std::string print_string(std::string_view value);

}  // namespace boostr
