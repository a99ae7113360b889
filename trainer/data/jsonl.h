#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace boostr {

/// A longer line of a JSON Lines file is an error: it is no JSON Lines file.
constexpr std::size_t longest_jsonl_line = std::size_t{64} << 20;

/// Calls `document` with the string at the key "text" of every line of `contents`, in order. A line
/// is one JSON object (RFC 8259, valid UTF-8) with exactly one "text"; its other keys are skipped,
/// whatever they hold. The last line may lack its newline; an empty line is an error.
///
/// Throws Error(data) that begins with `path`:line.
void read_jsonl(std::string_view contents, const std::string& path,
                const std::function<void(std::string_view)>& document,
                std::size_t longest_line = longest_jsonl_line);

}  // namespace boostr
