#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace boostr {

/// How far one source of the mixture has been read.
struct SourceCursor {
  std::string name;           ///< kind and pattern, e.g. "text: /usr/share/perl/*/pod/*.pod"
  double weight = 1;          ///< of the recipe
  std::int64_t samples = 0;   ///< training samples of one epoch
  std::int64_t consumed = 0;  ///< samples drawn so far; epoch = consumed / samples
  std::int64_t rebased = 0;   ///< `consumed` when the present weights came into force
  friend bool operator==(const SourceCursor&, const SourceCursor&) = default;
};

/// Where the training stream stands: all that a checkpoint needs to continue it exactly, on any
/// number of ranks.
struct DataCursor {
  std::uint64_t seed = 0;
  std::int64_t consumed = 0;  ///< global samples drawn so far
  std::vector<SourceCursor> sources;
  friend bool operator==(const DataCursor&, const DataCursor&) = default;
};

/// The cursor as one line of JSON; numbers keep all their digits.
std::string to_json(const DataCursor& cursor);

/// Reads what to_json wrote; throws Error(checkpoint) for anything else.
DataCursor data_cursor_from_json(const std::string& json);

}  // namespace boostr
