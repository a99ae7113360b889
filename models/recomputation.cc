#include "models/recomputation.h"

#include <charconv>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

struct Range {
  std::int64_t first = 0, last = 0;
};

/// "8" or "0-3".
Range range_of(std::string_view words) {
  Range range;
  const char* const end = words.data() + words.size();
  const auto first = std::from_chars(words.data(), end, range.first);
  auto rest = first;
  range.last = range.first;
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == '-')
    rest = std::from_chars(first.ptr + 1, end, range.last);
  require(rest.ec == std::errc() && rest.ptr == end && !words.empty(), ExitCode::usage, "'", words,
          "' is no layer and no range of layers; expected all, or a list like 0-3,8");
  return range;
}

}  // namespace

ActivationCheckpoint activation_checkpoint_named(const std::string& name) {
  if (name == "none") return ActivationCheckpoint::none;
  if (name == "selective") return ActivationCheckpoint::selective;
  if (name == "full") return ActivationCheckpoint::full;
  throw Error(ExitCode::usage, text("unknown activation_checkpoint.mode '", name,
                                    "'; choose none, selective or full"));
}

std::vector<bool> layers_listed(std::string_view list, std::int64_t num_layers) {
  std::vector<bool> listed(static_cast<std::size_t>(num_layers), list == "all");
  if (list == "all") return listed;
  while (true) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const Range range = range_of(list.substr(0, comma));
    require(range.first >= 0 && range.first <= range.last && range.last < num_layers,
            ExitCode::usage, "'", list.substr(0, comma), "' names layers beyond 0 to ",
            num_layers - 1);
    for (std::int64_t i = range.first; i <= range.last; ++i)
      listed[static_cast<std::size_t>(i)] = true;
    if (comma == list.size()) return listed;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace boostr
