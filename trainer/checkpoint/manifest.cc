#include "trainer/checkpoint/manifest.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <utility>

#include "kernels/runtime/error.h"
#include "trainer/checkpoint/hash.h"
#include "trainer/checkpoint/tensor_region.h"

namespace boostr {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view hash_begin = "{\"xxh3_128\": \"";
constexpr std::size_t hash_digits = 32;
constexpr std::array all_dtypes = {DType::f32, DType::bf16, DType::f16, DType::f64,
                                   DType::i32, DType::i64,  DType::u8};

template <class... Parts>
void valid(bool ok, const Parts&... message) {
  require(ok, ExitCode::checkpoint, "manifest: ", message...);
}

/// JSON without what the parser tolerates: a key given twice.
Json parse_json(std::string_view what, std::string_view json) {
  std::vector<std::set<std::string>> keys;
  const auto check = [&](int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key) {
      valid(keys.back().insert(value.get<std::string>()).second, what, " has the key ",
            value.dump(), " twice");
    }
    return true;
  };
  try {
    return Json::parse(json, check);
  } catch (const Json::exception& error) {
    throw Error(ExitCode::checkpoint, text("manifest: ", what, " is not JSON: ", error.what()));
  }
}

const Json& member(const Json& object, const char* key) {
  valid(object.is_object() && object.contains(key), "the member \"", key, "\" is missing");
  return object.at(key);
}

std::string string_at(const Json& object, const char* key) {
  const Json& value = member(object, key);
  valid(value.is_string(), "\"", key, "\" must be a string");
  return value.get<std::string>();
}

/// A whole number in [0, 2^63), written as one: no sign, no fraction, no wrap-around.
std::int64_t count_of(const Json& value, const char* key) {
  valid(value.is_number_unsigned() && value.get<std::uint64_t>() <= std::uint64_t{INT64_MAX}, "\"",
        key, "\" must be a whole number from 0 to 2^63 - 1");
  return value.get<std::int64_t>();
}

std::int64_t count_at(const Json& object, const char* key) {
  return count_of(member(object, key), key);
}

std::vector<std::int64_t> counts_at(const Json& object, const char* key) {
  const Json& value = member(object, key);
  valid(value.is_array() && value.size() <= std::size_t(Shape::max_dims), "\"", key,
        "\" must be a list of at most ", Shape::max_dims, " numbers");
  std::vector<std::int64_t> counts;
  for (const Json& item : value) counts.push_back(count_of(item, key));
  return counts;
}

std::string hash_at(const Json& object, const char* key) {
  std::string hash = string_at(object, key);
  valid(
      hash.size() == hash_digits && hash.find_first_not_of("0123456789abcdef") == std::string::npos,
      "\"", key, "\" must be ", hash_digits, " hexadecimal digits");
  return hash;
}

DType dtype_at(const Json& object, const char* key) {
  const std::string said = string_at(object, key);
  const auto found = std::find_if(all_dtypes.begin(), all_dtypes.end(),
                                  [&](DType dtype) { return name(dtype) == said; });
  valid(found != all_dtypes.end(), "unknown dtype \"", said, "\"");
  return *found;
}

Json list(std::span<const std::int64_t> numbers) {
  return Json(std::vector<std::int64_t>(numbers.begin(), numbers.end()));
}

Shape shape_of(const std::vector<std::int64_t>& dims) {
  return Shape(std::span<const std::int64_t>(dims));
}

Json to_json(const TensorRecord& tensor) {
  return {{"group", tensor.group},
          {"name", tensor.name},
          {"dtype", name(tensor.dtype)},
          {"global_shape", list(tensor.region.global_shape.dims())},
          {"offset", list(tensor.region.offset)},
          {"shape", list(tensor.region.shape.dims())},
          {"file_offset", tensor.file_offset},
          {"bytes", tensor.bytes},
          {"xxh3_128", tensor.hash}};
}

TensorRecord tensor_from(const Json& json, std::int64_t file_bytes) {
  TensorRecord tensor;
  tensor.group = string_at(json, "group");
  tensor.name = string_at(json, "name");
  tensor.dtype = dtype_at(json, "dtype");
  tensor.region.global_shape = shape_of(counts_at(json, "global_shape"));
  tensor.region.offset = counts_at(json, "offset");
  tensor.region.shape = shape_of(counts_at(json, "shape"));
  tensor.file_offset = count_at(json, "file_offset");
  tensor.bytes = count_at(json, "bytes");
  tensor.hash = hash_at(json, "xxh3_128");
  const std::string fault = region_fault(tensor.region);
  valid(fault.empty(), tensor.group, "/", tensor.name, ": ", fault);
  const auto element = static_cast<std::int64_t>(size_of(tensor.dtype));
  valid(tensor.bytes % element == 0 && tensor.bytes / element == tensor.region.shape.numel(),
        tensor.group, "/", tensor.name, ": ", tensor.bytes, " bytes are not ", tensor.region.shape,
        " of ", tensor.dtype);
  valid(tensor.file_offset <= file_bytes && tensor.bytes <= file_bytes - tensor.file_offset,
        tensor.group, "/", tensor.name, ": lies beyond the file's ", file_bytes, " bytes");
  return tensor;
}

FileRecord record_from(const Json& json) {
  FileRecord record;
  record.name = string_at(json, "name");
  valid(!record.name.empty() && record.name[0] != '.' &&
            record.name.find_first_of(std::string_view("/\0", 2)) == std::string::npos,
        "\"", record.name, "\" is not a plain file name");
  record.bytes = count_at(json, "bytes");
  record.hash = hash_at(json, "xxh3_128");
  const Json& tensors = member(json, "tensors");
  valid(tensors.is_array(), "\"tensors\" must be a list");
  for (const Json& tensor : tensors) record.tensors.push_back(tensor_from(tensor, record.bytes));
  return record;
}

Json state_json(const TrainingState& state) {
  return {{"loss_scale", state.loss_scale},
          {"loss_scale_finite_steps", state.loss_scale_finite_steps},
          {"seed", state.seed},
          {"data_cursor", parse_json("data_cursor", state.data_cursor)},
          {"extra", parse_json("extra", state.extra)}};
}

TrainingState state_from(const Json& manifest) {
  const Json& json = member(manifest, "state");
  TrainingState state;
  state.step = count_at(manifest, "step");
  state.mesh = member(manifest, "mesh").dump();
  const Json& scale = member(json, "loss_scale");
  valid(scale.is_number(), "\"loss_scale\" must be a number");
  state.loss_scale = scale.get<double>();
  state.loss_scale_finite_steps = count_at(json, "loss_scale_finite_steps");
  const Json& seed = member(json, "seed");
  valid(seed.is_number_unsigned(), "\"seed\" must be a whole number from 0 to 2^64 - 1");
  state.seed = seed.get<std::uint64_t>();
  state.data_cursor = member(json, "data_cursor").dump();
  state.extra = member(json, "extra").dump();
  return state;
}

/// The text's own hash: of all of it, with the digits that state it as zeros.
std::string own_hash(std::string text) {
  text.replace(hash_begin.size(), hash_digits, hash_digits, '0');
  return hash128(text);
}

}  // namespace

std::string shard_name(int rank) {
  std::array<char, 32> name{};
  std::snprintf(name.data(), name.size(), "rank-%05d.h5", rank);
  return name.data();
}

std::string record_text(const FileRecord& record) {
  std::string out = text("{\"name\": ", Json(record.name).dump(), ", \"bytes\": ", record.bytes,
                         ", \"xxh3_128\": \"", record.hash, "\", \"tensors\": [");
  for (std::size_t i = 0; i < record.tensors.size(); ++i) {
    out += (i == 0 ? "\n " : ",\n ") + to_json(record.tensors[i]).dump();
  }
  return out + "]}";
}

FileRecord parse_record(std::string_view text) {
  return record_from(parse_json("a shard's record", text));
}

std::string manifest_text(const Manifest& manifest) {
  std::string out =
      text(hash_begin, std::string(hash_digits, '0'), "\",\n\"format\": \"boostr checkpoint\",\n",
           "\"format_version\": ", checkpoint_format_version,
           ",\n\"code_version\": ", Json(manifest.code_version).dump(),
           ",\n\"step\": ", manifest.state.step,
           ",\n\"mesh\": ", parse_json("mesh", manifest.state.mesh).dump(),
           ",\n\"state\": ", state_json(manifest.state).dump(), ",\n\"files\": [");
  for (std::size_t i = 0; i < manifest.files.size(); ++i) {
    out += (i == 0 ? "\n" : ",\n") + record_text(manifest.files[i]);
  }
  out += "]}\n";
  return out.replace(hash_begin.size(), hash_digits, own_hash(out));
}

Manifest parse_manifest(std::string_view text) {
  valid(text.size() > hash_begin.size() + hash_digits && text.starts_with(hash_begin),
        "is not a boostr checkpoint's (truncated, or not ours)");
  valid(own_hash(std::string(text)) == text.substr(hash_begin.size(), hash_digits),
        "is damaged: its bytes do not have the hash it states");
  const Json json = parse_json("the text", text);
  const std::int64_t version = count_at(json, "format_version");
  valid(version <= checkpoint_format_version, "format version ", version,
        " is newer than this boostr's ", checkpoint_format_version, "; use boostr ",
        string_at(json, "code_version"), " or later");
  Manifest manifest;
  manifest.code_version = string_at(json, "code_version");
  manifest.state = state_from(json);
  const Json& files = member(json, "files");
  valid(files.is_array(), "\"files\" must be a list");
  std::set<std::string> names;
  for (const Json& file : files) {
    manifest.files.push_back(record_from(file));
    valid(names.insert(manifest.files.back().name).second, "lists ", manifest.files.back().name,
          " twice");
  }
  return manifest;
}

}  // namespace boostr
