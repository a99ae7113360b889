#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <sstream>

#include "tests/architecture/sources.h"

/// What holds the layers apart is checked here, not in a reviewer's head.
namespace boostr::testing {
namespace {

/// The included path and whether it stands in quotes.
struct Include {
  std::string path;
  bool quoted;
  std::size_t line;
};

std::vector<Include> includes_of(const Source& source) {
  static const std::regex pattern(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  std::vector<Include> includes;
  for (std::size_t i = 0; i < source.lines.size(); ++i) {
    std::smatch match;
    if (std::regex_search(source.lines[i], match, pattern))
      includes.push_back({match[2], match[1] == "\"", i + 1});
  }
  return includes;
}

bool starts_with_any(const std::string& path, const std::vector<std::string>& prefixes) {
  return std::ranges::any_of(prefixes,
                             [&](const std::string& prefix) { return path.starts_with(prefix); });
}

/// docs/architecture.md, "Layers": which folders each folder's files may include.
const std::map<std::string, std::vector<std::string>> allowed_folders{
    {"kernels", {"kernels/"}},
    {"ops", {"ops/", "kernels/"}},
    {"parallel", {"parallel/", "ops/", "kernels/runtime/"}},
    {"models", {"models/", "parallel/", "ops/", "kernels/runtime/"}},
    {"trainer", {"trainer/", "models/", "parallel/", "ops/", "kernels/runtime/"}},
    {"launch", {"launch/", "trainer/", "parallel/", "ops/", "kernels/runtime/"}},
};

TEST(Layers, IncludesPointDownOnly) {
  for (const Source& source : sources_in(layers))
    for (const Include& include : includes_of(source))
      if (include.quoted) {
        EXPECT_TRUE(starts_with_any(include.path, allowed_folders.at(source.folder)))
            << source.path << ":" << include.line << " includes " << include.path;
      }
}

TEST(Layers, QuotedIncludesNameFilesFromTheRoot) {
  for (const Source& source : sources_in(with_tests()))
    for (const Include& include : includes_of(source))
      if (include.quoted) {
        EXPECT_TRUE(fs::exists(root / include.path))
            << source.path << ":" << include.line << " includes " << include.path;
      }
}

/// Third-party headers, and the places that may include them.
const std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> third_party{
    {{"mpi.h"}, {"parallel/comm/mpi"}},
    {{"yaml-cpp/"}, {"trainer/"}},
    {{"hdf5.h", "H5", "hdf5_hl.h"}, {"trainer/"}},
    {{"nlohmann/"}, {"trainer/", "models/formats/"}},
    {{"zstd.h", "zlib.h", "xxhash.h"}, {"trainer/"}},
    {{"CLI/"}, {"launch/"}},
    {{"Eigen/"}, {"kernels/"}},
    {{"fmt/", "spdlog/"}, {"ops/", "parallel/", "models/", "trainer/", "launch/"}},
    {{"cuda", "nccl.h"}, {"kernels/cuda/", "parallel/comm/nccl"}},
    {{"gtest/", "gmock/", "benchmark/"}, {}},
};

TEST(Layers, ThirdPartyHeadersStayInTheirFolder) {
  for (const Source& source : sources_in(layers))
    for (const Include& include : includes_of(source))
      for (const auto& [headers, places] : third_party)
        if (!include.quoted && starts_with_any(include.path, headers)) {
          EXPECT_TRUE(starts_with_any(source.path, places))
              << source.path << ":" << include.line << " includes <" << include.path << ">";
        }
}

TEST(Layers, ThirdPartyHeadersStayOutOfOurHeaders) {
  for (const Source& source : sources_in(layers)) {
    if (!source.path.ends_with(".h")) continue;
    for (const Include& include : includes_of(source))
      for (const auto& [headers, places] : third_party)
        EXPECT_FALSE(!include.quoted && starts_with_any(include.path, headers))
            << source.path << ":" << include.line << " includes <" << include.path
            << ">, which every includer would then compile";
  }
}

TEST(Files, HaveAtMost400Lines) {
  for (const Source& source : sources_in(with_tests()))
    EXPECT_LE(source.lines.size(), 400u) << source.path;
}

TEST(Files, HeadersBeginWithPragmaOnce) {
  for (const Source& source : sources_in(with_tests()))
    if (source.path.ends_with(".h")) {
      EXPECT_TRUE(!source.lines.empty() && source.lines.front() == "#pragma once") << source.path;
    }
}

TEST(Files, HoldNoUnfinishedWork) {
  // In two pieces, so that this file does not find itself.
  const std::regex unfinished(std::string("\\b(TO") + "DO|FIX" + "ME|XX" + "X)\\b");
  for (const Source& source : sources_in(with_tests()))
    for (std::size_t i = 0; i < source.lines.size(); ++i)
      EXPECT_FALSE(std::regex_search(source.lines[i], unfinished)) << source.path << ":" << i + 1;
}

TEST(Files, ReadNoEnvironmentBelowLaunch) {
  for (const Source& source : sources_in(layers)) {
    if (source.folder == "launch") continue;
    for (std::size_t i = 0; i < source.lines.size(); ++i)
      EXPECT_EQ(source.lines[i].find("getenv("), std::string::npos) << source.path << ":" << i + 1;
  }
}

TEST(Files, TopLevelIsFixed) {
  const std::set<std::string> fixed{"CMakeLists.txt", "trainer",          "parallel", "ops",
                                    "kernels",        "models",           "launch",   "recipes",
                                    "tests",          "README.md",        "LICENSE",  "docs",
                                    "cmake",          "CMakePresets.json"};
  const std::set<std::string> made_by_use{"build", "runs"};
  for (const auto& entry : fs::directory_iterator(root)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(".") || made_by_use.contains(name)) continue;
    if (fs::exists(entry.path() / "CMakeCache.txt")) continue;  // somebody's build folder
    EXPECT_TRUE(fixed.contains(name)) << name;
  }
}

std::string contents(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream all;
  all << file.rdbuf();
  return all.str();
}

TEST(Documents, LinksPointAtFilesThatExist) {
  const std::regex link(R"(\]\(([^)#:\s]+)(#[^)]*)?\))");
  std::vector<fs::path> documents{root / "README.md"};
  for (const auto& entry : fs::directory_iterator(root / "docs"))
    if (entry.path().extension() == ".md") documents.push_back(entry.path());
  for (const fs::path& document : documents) {
    const std::string words = contents(document);
    for (auto found = std::sregex_iterator(words.begin(), words.end(), link);
         found != std::sregex_iterator(); ++found)
      EXPECT_TRUE(fs::exists(document.parent_path() / (*found)[1].str()))
          << document.filename() << " links to " << (*found)[1];
  }
}

}  // namespace
}  // namespace boostr::testing
