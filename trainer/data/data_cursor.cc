#include "trainer/data/data_cursor.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

using Json = nlohmann::json;

[[noreturn]] void reject(const std::string& why) {
  throw Error(ExitCode::checkpoint,
              text("data cursor of the checkpoint: ", why, "; use an older checkpoint"));
}

const Json& member(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) reject(text("'", key, "' is missing"));
  return *found;
}

/// nlohmann converts silently between signs and from fractions; a count must be an integer in [0,
/// 2^63).
std::int64_t count(const Json& object, const char* key) {
  const Json& value = member(object, key);
  constexpr std::uint64_t largest = std::numeric_limits<std::int64_t>::max();
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > largest) {
    reject(text("'", key, "' is not a count"));
  }
  return static_cast<std::int64_t>(value.get<std::uint64_t>());
}

SourceCursor source_from(const Json& json) {
  if (!json.is_object()) reject("a source is not an object");
  SourceCursor source;
  const Json& name = member(json, "name");
  const Json& weight = member(json, "weight");
  if (!name.is_string() || !weight.is_number())
    reject("a source's name or weight has a wrong type");
  source.name = name.get<std::string>();
  source.weight = weight.get<double>();
  source.samples = count(json, "samples");
  source.consumed = count(json, "consumed");
  source.rebased = count(json, "rebased");
  if (!std::isfinite(source.weight) || source.weight < 0) reject("a source's weight is negative");
  if (source.samples == 0) reject("a source without samples");
  if (source.rebased > source.consumed) reject("a source's 'rebased' exceeds 'consumed'");
  return source;
}

}  // namespace

std::string to_json(const DataCursor& cursor) {
  Json sources = Json::array();
  for (const SourceCursor& source : cursor.sources) {
    sources.push_back({{"name", source.name},
                       {"weight", source.weight},
                       {"samples", source.samples},
                       {"consumed", source.consumed},
                       {"rebased", source.rebased}});
  }
  const Json json = {{"seed", cursor.seed}, {"consumed", cursor.consumed}, {"sources", sources}};
  // A path may hold bytes that are no UTF-8; the name only labels the source.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

DataCursor data_cursor_from_json(const std::string& text_of_json) {
  const Json json = Json::parse(text_of_json, nullptr, false);
  if (!json.is_object()) reject("not a JSON object");
  DataCursor cursor;
  const Json& seed = member(json, "seed");
  if (!seed.is_number_unsigned()) reject("'seed' is not a 64-bit number");
  cursor.seed = seed.get<std::uint64_t>();
  cursor.consumed = count(json, "consumed");
  const Json& sources = member(json, "sources");
  if (!sources.is_array()) reject("'sources' is not an array");
  for (const Json& source : sources) cursor.sources.push_back(source_from(source));
  return cursor;
}

}  // namespace boostr
