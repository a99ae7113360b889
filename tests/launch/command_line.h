#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "kernels/runtime/error.h"
#include "launch/cli.h"

namespace boostr {

/// What a command line came to.
struct CommandOutcome {
  int code = -1;
  std::string out, err;
  std::string error;  ///< of the Error that it threw
};

/// `boostr-train` with these words.
inline CommandOutcome run_words(const std::vector<std::string>& words, const Actions& actions) {
  CommandOutcome outcome;
  std::ostringstream out, err;
  try {
    outcome.code = run_command_line(words, actions, out, err);
  } catch (const Error& e) {
    outcome.code = static_cast<int>(e.code());
    outcome.error = e.what();
  }
  outcome.out = out.str();
  outcome.err = err.str();
  return outcome;
}

}  // namespace boostr
