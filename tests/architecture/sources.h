#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

/// The product's own source files, as the architecture tests read them.
namespace boostr::testing {

namespace fs = std::filesystem;

inline const fs::path root = BOOSTR_SOURCE_DIR;
inline const std::vector<std::string> layers{"kernels", "ops",     "parallel",
                                             "models",  "trainer", "launch"};

struct Source {
  std::string path;  ///< from the root: "ops/tensor.h"
  std::string folder;
  std::vector<std::string> lines;
};

inline bool has_code(const fs::path& path) {
  static const std::set<std::string> endings{".h", ".cc", ".cu", ".cuh", ".wgsl"};
  return endings.contains(path.extension().string());
}

inline std::vector<Source> sources_in(const std::vector<std::string>& folders) {
  std::vector<Source> sources;
  for (const std::string& folder : folders) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (!entry.is_regular_file() || !has_code(entry.path())) continue;
      Source source{fs::relative(entry.path(), root).string(), folder, {}};
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) source.lines.push_back(line);
      sources.push_back(std::move(source));
    }
  }
  return sources;
}

inline std::vector<std::string> with_tests() {
  std::vector<std::string> folders = layers;
  folders.emplace_back("tests");
  return folders;
}

}  // namespace boostr::testing
