#include "trainer/recipe_scalar.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace boostr {
namespace {

TEST(RecipeScalar, KindsAreThoseOfTheCoreSchema) {
  for (const char* null : {"", "~", "null"}) EXPECT_EQ(scalar_kind(null), ScalarKind::null) << null;
  for (const char* boolean : {"true", "False"})
    EXPECT_EQ(scalar_kind(boolean), ScalarKind::boolean);
  for (const char* integer : {"0", "-7", "+3", "010"})
    EXPECT_EQ(scalar_kind(integer), ScalarKind::integer) << integer;
  for (const char* real : {"1.", ".5", "1e3", "-1.5E-7", ".inf", ".nan"})
    EXPECT_EQ(scalar_kind(real), ScalarKind::real) << real;
  for (const char* string :
       {"yes", "no", "on", "0x1F", "0o17", "1_000", "12:30", "1f1b", "-", ".", "e5", "1e", "nan"}) {
    EXPECT_EQ(scalar_kind(string), ScalarKind::string) << string;
  }
}

TEST(RecipeScalar, IntegersHaveNoOctalAndNoOverflow) {
  EXPECT_EQ(parse_integer("-42"), -42);
  EXPECT_EQ(parse_integer("+42"), 42);
  EXPECT_EQ(parse_integer("0"), 0);
  EXPECT_EQ(parse_integer("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parse_unsigned("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
  for (const char* bad :
       {"010", "0x10", "9223372036854775808", "1.0", "1e3", "", "-", "1 ", "--1"}) {
    EXPECT_FALSE(parse_integer(bad)) << bad;
  }
  EXPECT_FALSE(parse_unsigned("-1"));
}

TEST(RecipeScalar, RealsAreFinite) {
  EXPECT_EQ(parse_real("3.0e-4"), 3e-4);
  EXPECT_EQ(parse_real(".5"), 0.5);
  EXPECT_EQ(parse_real("7"), 7.0);
  for (const char* bad :
       {".inf", "-.inf", ".nan", "1e999", "inf", "nan", "1e", "0x1p3", "1,5", "01.5"}) {
    EXPECT_FALSE(parse_real(bad)) << bad;
  }
}

TEST(RecipeScalar, BytesTakeUnits) {
  EXPECT_EQ(parse_bytes("512Mi"), 512LL << 20);
  EXPECT_EQ(parse_bytes("25M"), 25000000);
  EXPECT_EQ(parse_bytes("4k"), 4000);
  EXPECT_EQ(parse_bytes("1Ti"), 1LL << 40);
  EXPECT_EQ(parse_bytes("77"), 77);
  for (const char* bad : {"25MB", "5 M", "1.5M", "M", "10000000T", "512mi"})
    EXPECT_FALSE(parse_bytes(bad)) << bad;
}

TEST(RecipeScalar, DurationsTakeUnitsLargestFirst) {
  EXPECT_EQ(parse_duration("3h50m"), 13800);
  EXPECT_EQ(parse_duration("2h"), 7200);
  EXPECT_EQ(parse_duration("1d1s"), 86401);
  EXPECT_EQ(parse_duration("1.5h"), 5400);
  EXPECT_EQ(parse_duration("500ms"), 0.5);
  EXPECT_EQ(parse_duration("90"), 90);
  for (const char* bad : {"50m3h", "2h2h", "h", "", "3x", "3h50", "-2h", "1h 2m"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
}

TEST(RecipeScalar, PrintedRealsReadBackToTheSameBits) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const double value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(parse_real(print_real(value)), value) << print_real(value);
  }
  EXPECT_EQ(print_real(1e-8), "1.0e-08");
  EXPECT_EQ(print_real(1), "1.0");
  EXPECT_EQ(print_real(0.1), "0.1");
}

TEST(RecipeScalar, PrintedDurationsAndBytesReadBack) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    const auto seconds = static_cast<double>(random() % 1000000) / (i % 2 == 0 ? 1 : 8);
    ASSERT_EQ(parse_duration(print_duration(seconds)), seconds) << print_duration(seconds);
    const auto bytes = static_cast<std::int64_t>(random() >> (20 + i % 40)) << (i % 3 * 10);
    ASSERT_EQ(parse_bytes(print_bytes(bytes)), bytes) << print_bytes(bytes);
  }
  EXPECT_EQ(print_duration(13800), "3h50m");
  EXPECT_EQ(print_bytes(25 << 20), "25Mi");
}

TEST(RecipeScalar, StringsAreQuotedWhereYamlWouldReadSomethingElse) {
  EXPECT_EQ(print_string("runs/quickstart-1.b"), "runs/quickstart-1.b");
  for (const char* value : {"*.txt", "true", "12", "no", "", "a: b", "- a", "a #b", "~", "-x"}) {
    EXPECT_EQ(print_string(value), "\"" + std::string(value) + "\"");
  }
  EXPECT_EQ(print_string("a\"b\\c\n"), "\"a\\\"b\\\\c\\x0a\"");
}

}  // namespace
}  // namespace boostr
