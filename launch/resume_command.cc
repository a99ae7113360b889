#include "launch/resume_command.h"

#include <fmt/format.h>

#include <string_view>

namespace boostr {
namespace {

std::string quoted(const std::string& word) {
  constexpr std::string_view safe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%";
  if (!word.empty() && word.find_first_not_of(safe) == std::string::npos) return word;
  std::string result = "'";
  for (const char c : word) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

}  // namespace

std::string resume_command(const std::vector<std::string>& words, int ranks, std::int64_t steps) {
  std::string command;
  for (const std::string& word : words) {
    if (word.starts_with("training.steps=")) continue;
    const bool is_program = command.empty();
    command += (is_program ? "" : " ") + quoted(word);
    if (is_program && ranks > 1) command += fmt::format(" -n {}", ranks);
  }
  return command + fmt::format(" training.steps={}", 2 * steps);
}

}  // namespace boostr
