#include <gtest/gtest.h>

#include <regex>

#include "tests/architecture/sources.h"

namespace boostr::testing {
namespace {

/// A function's lines in a file, found by its layout, which clang-format fixes: the body ends at
/// the brace that stands as deep as the line that opened it.
struct Function {
  std::size_t begin;
  std::size_t end;
};

std::size_t depth_of(const std::string& line) { return line.find_first_not_of(' '); }

bool opens_function(const std::string& line) {
  static const std::regex other(
      R"(^ *([#/}]|(if|for|while|switch|do|else|try|catch|namespace|class|struct|enum|union|case|template)\b))");
  const std::size_t depth = depth_of(line);
  return (depth == 0 || depth == 2) && line.back() == '{' && line.find(')') != std::string::npos &&
         line.find('=') == std::string::npos && !std::regex_search(line, other);
}

std::vector<Function> functions_in(const Source& source) {
  std::vector<Function> functions;
  for (std::size_t begin = 0; begin < source.lines.size(); ++begin) {
    if (source.lines[begin].empty() || !opens_function(source.lines[begin])) continue;
    const std::string closing = std::string(depth_of(source.lines[begin]), ' ') + "}";
    std::size_t end = begin + 1;
    while (end < source.lines.size() && !source.lines[end].starts_with(closing)) ++end;
    functions.push_back({begin, end});
  }
  return functions;
}

/// How many control statements stand inside one another.
std::size_t nesting(const Source& source, const Function& function) {
  static const std::regex control(R"(^ *(\} )?(if|for|while|switch|do|else|try|catch)\b)");
  std::vector<std::size_t> open;
  std::size_t deepest = 0;
  for (std::size_t i = function.begin + 1; i < function.end; ++i) {
    const std::string& line = source.lines[i];
    if (line.empty()) continue;
    while (!open.empty() && depth_of(line) <= open.back()) open.pop_back();
    if (std::regex_search(line, control)) open.push_back(depth_of(line));
    deepest = std::max(deepest, open.size());
  }
  return deepest;
}

TEST(Functions, AreFound) {
  std::size_t found = 0;
  for (const Source& source : sources_in(layers)) found += functions_in(source).size();
  EXPECT_GT(found, 500U);
}

TEST(Functions, HaveAtMost60Lines) {
  for (const Source& source : sources_in(with_tests()))
    for (const auto& [begin, end] : functions_in(source))
      EXPECT_LE(end - begin + 1, 60U) << source.path << ":" << begin + 1;
}

TEST(Functions, NestAtMostThreeControlStatements) {
  for (const Source& source : sources_in(layers))
    for (const Function& function : functions_in(source))
      EXPECT_LE(nesting(source, function), 3U) << source.path << ":" << function.begin + 1;
}

}  // namespace
}  // namespace boostr::testing
