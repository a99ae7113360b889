#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace boostr {

/// The process exit codes, part of the interface (documented in README.md).
enum class ExitCode : int {
  ok = 0,
  internal = 1,       ///< a bug in boostr: an invariant did not hold
  usage = 2,          ///< command line or recipe
  data = 3,           ///< training data: missing, empty, truncated, token id out of range
  checkpoint = 4,     ///< checkpoint cannot be written, read, or does not fit the recipe
  memory = 5,         ///< out of memory
  numeric = 6,        ///< non-finite loss or gradient, or two results that must agree differ
  communication = 7,  ///< a rank died, hung, or a collective failed
  preempted = 75,     ///< stopped on request; a checkpoint is saved, run again to continue
};

/// The one exception type. `what()` is a complete message for the user: what happened, where, what
/// was expected, what to do. `code()` is what the process exits with.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  explicit Error(const std::string& message) : Error(ExitCode::internal, message) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

/// Concatenates the parts as `operator<<` prints them.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// Throws an internal Error with the concatenated message unless `ok`.
template <class... Parts>
void expect(bool ok, const Parts&... message) {
  if (!ok) throw Error(text(message...));
}

/// Throws an Error with exit code `code` unless `ok`.
template <class... Parts>
void require(bool ok, ExitCode code, const Parts&... message) {
  if (!ok) throw Error(code, text(message...));
}

}  // namespace boostr
