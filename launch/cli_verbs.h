#pragma once

#include <string>
#include <string_view>

#include "launch/schedule_command.h"

namespace CLI {
class App;
}

/// What the definitions of verbs share, and definitions that fill a file of their own.
namespace boostr {

/// What --help ends with: the examples and the exit codes.
std::string footer(std::string_view examples);
/// A check of options that name a file.
std::string refuse_no_file(const std::string& path);

void define_schedule(CLI::App& app, ScheduleOptions& options);

}  // namespace boostr
