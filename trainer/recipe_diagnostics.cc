#include "trainer/recipe_diagnostics.h"

#include <algorithm>
#include <tuple>

namespace boostr {

namespace {

constexpr std::size_t most_shown = 50;
constexpr int widest_line = 160;

bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

// A recipe may come from a stranger: what reaches the terminal must not steer it.
std::string printable(std::string_view text) {
  std::string shown;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = text[i] == '\n' || text[i] == '\r' ? 0 : character_length(text, i);
    shown += length == 0 ? "?" : text.substr(i, length);
    i += std::max<std::size_t>(length, 1);
  }
  return shown;
}

// The part of `line` around `column` (from 1) that fits a terminal, and the column within it.
std::pair<std::string, int> excerpt(std::string_view line, int column) {
  const int length = count_characters(line, line.size());
  if (length <= widest_line) return {printable(line), column};
  const int first = std::clamp(column - 1 - widest_line / 2, 0, length - widest_line);
  std::string shown;
  int at = -1;
  for (char c : line) {
    if (!continues_character(c)) ++at;
    if (at >= first && at < first + widest_line) shown += c;
  }
  const std::string left = first > 0 ? "..." : "";
  const std::string right = first + widest_line < length ? "..." : "";
  return {left + printable(shown) + right, column - first + static_cast<int>(left.size())};
}

// White space as wide as the characters before `column`; tabs stay tabs, so that the caret stands
// right at any tab width.
std::string padding(std::string_view line, int column) {
  std::string spaces;
  for (char c : line) {
    if (static_cast<int>(spaces.size()) + 1 >= column) break;
    if (!continues_character(c)) spaces += c == '\t' ? '\t' : ' ';
  }
  return spaces;
}

}  // namespace

std::string_view line_of(std::string_view text, int number) {
  std::size_t begin = 0;
  for (int line = 1; line < number; ++line) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) return {};
    begin = end + 1;
  }
  std::string_view line = text.substr(begin, text.find('\n', begin) - begin);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::size_t character_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) {
    const bool control =
        (lead < 0x20 && lead != '\t' && lead != '\n' && lead != '\r') || lead == 0x7F;
    return at < text.size() && !control ? 1 : 0;
  }
  const std::size_t length = lead >= 0xC2 && lead < 0xE0   ? 2
                             : lead >= 0xE0 && lead < 0xF0 ? 3
                             : lead >= 0xF0 && lead < 0xF5 ? 4
                                                           : 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const bool control = lead == 0xC2 && byte(1) < 0xA0;
  return control ? 0 : length;
}

int count_characters(std::string_view text, std::size_t bytes) {
  const std::string_view counted = text.substr(0, bytes);
  return static_cast<int>(
      std::ranges::count_if(counted, [](char c) { return !continues_character(c); }));
}

int Diagnostics::add_source(RecipeSource source) {
  sources_.push_back(std::move(source));
  return static_cast<int>(sources_.size()) - 1;
}

void Diagnostics::error(Mark at, std::string message) {
  errors_.push_back({at, std::move(message)});
}

void Diagnostics::warning(Mark at, std::string message) {
  warnings_.push_back({at, std::move(message)});
}

std::string Diagnostics::describe(Mark at) const {
  if (!at.known()) return "default";
  const RecipeSource& where = source(at.source);
  return where.is_override ? where.name : text(where.name, ":", at.line);
}

std::string Diagnostics::format(std::vector<Entry> entries, std::string_view severity) const {
  std::ranges::stable_sort(entries, {}, [](const Entry& entry) {
    return std::tuple(entry.at.source, entry.at.line, entry.at.column);
  });
  std::string out;
  for (std::size_t i = 0; i < std::min(entries.size(), most_shown); ++i) {
    out += format(entries[i], severity);
  }
  if (entries.size() > most_shown)
    out += text("and ", entries.size() - most_shown, " more ", severity, "s\n");
  return out;
}

std::string Diagnostics::format(const Entry& entry, std::string_view severity) const {
  const RecipeSource& where = source(entry.at.source);
  const std::string name = printable(where.name), message = printable(entry.message);
  if (where.is_override) return text(name, ": ", severity, ": ", message, "\n");
  const auto [line, column] = excerpt(line_of(where.text, entry.at.line), entry.at.column);
  return text(name, ":", entry.at.line, ":", entry.at.column, ": ", severity, ": ", message,
              "\n    ", line, "\n    ", padding(line, column), "^\n");
}

}  // namespace boostr
