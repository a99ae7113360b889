#pragma once

#include <string>
#include <vector>

namespace boostr {

/// The files that the glob `pattern` (`*`, `?`, `[...]`, `{a,b}`) or plain path names, sorted by
/// path, bytewise. A file that is reached several times, through links of either kind, counts once,
/// under the first of its paths. Relative patterns are relative to the working directory.
///
/// Throws Error(data), naming the recipe's key `key`, if nothing matches, or if a match is not a
/// regular, non-empty file that can be looked up.
std::vector<std::string> find_input_files(const std::string& pattern, const std::string& key);

}  // namespace boostr
