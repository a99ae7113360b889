#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace boostr {

/// What to type to continue a finished run of `steps` steps for as many again: the words of its
/// command line, quoted where a shell needs it, started over `ranks` processes by the program
/// itself.
std::string resume_command(const std::vector<std::string>& words, int ranks, std::int64_t steps);

}  // namespace boostr
