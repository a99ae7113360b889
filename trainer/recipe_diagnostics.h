#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/runtime/error.h"

namespace boostr {

/// A place in one of the texts that a recipe is made of: the file, those it extends, the overrides.
/// Lines and columns count from 1, columns in characters. A negative source is no place at all.
struct Mark {
  int source = -1;
  int line = 1;
  int column = 1;
  bool known() const { return source >= 0; }
};

/// One text that a recipe is made of.
struct RecipeSource {
  std::string name;  ///< the path as given, or `override 'key=value'`
  std::string text;
  bool is_override = false;
};

/// Everything that is wrong with a recipe, or dubious in it, collected in one pass and shown in the
/// order of the text.
class Diagnostics {
 public:
  /// Adds a text that marks may point into; returns its number.
  int add_source(RecipeSource source);
  const RecipeSource& source(int index) const { return sources_[static_cast<std::size_t>(index)]; }

  void error(Mark at, std::string message);
  /// Warnings are shown and change nothing else.
  void warning(Mark at, std::string message);
  bool has_errors() const { return !errors_.empty(); }

  /// `file:line:column: error: message`, the line and a caret for each error; at most fifty.
  std::string errors() const { return format(errors_, "error"); }
  std::string warnings() const { return format(warnings_, "warning"); }
  /// `file:line`, or the override.
  std::string describe(Mark at) const;

 private:
  struct Entry {
    Mark at;
    std::string message;
  };
  std::string format(std::vector<Entry> entries, std::string_view severity) const;
  std::string format(const Entry& entry, std::string_view severity) const;

  std::vector<RecipeSource> sources_;
  std::vector<Entry> errors_, warnings_;
};

/// A recipe that cannot be used. what() is complete: every error with its place, ready to be
/// printed as it is.
class RecipeError : public Error {
 public:
  explicit RecipeError(const std::string& message) : Error(ExitCode::usage, message) {}
};

/// Line `number` (from 1) of a text, without its line break.
std::string_view line_of(std::string_view text, int number);

/// Bytes of the UTF-8 character at offset `at`; 0 if there is none, or a control character other
/// than white space.
std::size_t character_length(std::string_view text, std::size_t at);

/// Characters in the first `bytes` bytes of UTF-8 text.
int count_characters(std::string_view text, std::size_t bytes);

}  // namespace boostr
