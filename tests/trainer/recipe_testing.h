#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "trainer/recipe_load.h"

/// What the tests of the recipe share.
namespace boostr::recipe_testing {

inline const std::string source_dir = BOOSTR_SOURCE_DIR;
inline const std::string quickstart = source_dir + "/recipes/quickstart.yaml";

/// A small valid recipe, which the tests break.
inline const std::string valid_recipe = R"(output: runs/x
model:
  vocab_size: 256
  hidden_size: 64
  num_hidden_layers: 2
  num_attention_heads: 4
  intermediate_size: 128
data:
  train:
    - text: "*.txt"
training:
  steps: 10
  seq_len: 32
  micro_batch_size: 2
optimizer: {name: AdamW}
)";

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// The valid recipe with `change` for the first line that has the same key, and without what that
/// line's section held unless the change opens a section too; added at the end if the key is new.
inline std::string with_change(const std::string& change) {
  const auto indent = [](const std::string& line) { return line.find_first_not_of(' '); };
  const std::string first = change.substr(0, change.find('\n'));
  const std::string key =
      first.starts_with("    - ") ? "    - " : first.substr(0, first.find(':') + 1);
  std::vector<std::string> lines = lines_of(valid_recipe);
  const auto same = std::ranges::find_if(
      lines, [&](const std::string& line) { return !key.empty() && line.starts_with(key); });
  if (same == lines.end()) return valid_recipe + change + "\n";
  auto end = same + 1;
  while (!first.ends_with(':') && end != lines.end() && indent(*end) > indent(*same)) ++end;
  *same = change;
  lines.erase(same + 1, end);
  std::string recipe;
  for (const std::string& line : lines) recipe += line + "\n";
  return recipe;
}

/// What a recipe is refused with; empty if it is accepted.
inline std::string refusal(const std::string& yaml,
                           const std::vector<std::string>& overrides = {}) {
  try {
    parse_recipe("r.yaml", yaml, overrides);
  } catch (const RecipeError& e) {
    return e.what();
  }
  return {};
}

/// Only the lines that say what is wrong, without the excerpts.
inline std::vector<std::string> headlines(const std::string& message) {
  std::vector<std::string> lines = lines_of(message);
  std::erase_if(
      lines, [](const std::string& line) { return line.find(": error: ") == std::string::npos; });
  return lines;
}

/// A folder of its own for a test, gone afterwards.
class Folder {
 public:
  Folder() {
    const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
    path_ =
        std::filesystem::temp_directory_path() / (std::string(test->test_suite_name()) + "." +
                                                  test->name() + "." + std::to_string(getpid()));
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string write(const std::string& name, const std::string& content) const {
    const std::filesystem::path path = path_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace boostr::recipe_testing
