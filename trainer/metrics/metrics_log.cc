#include "trainer/metrics/metrics_log.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "kernels/runtime/error.h"
#include "trainer/checkpoint/file_ops.h"

namespace boostr {
namespace {

using Json = nlohmann::json;

double number(const Json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_number() ? found->get<double>() : std::nan("");
}

MetricsRow row_of(const Json& line) {
  MetricsRow row;
  row.step = line.at("step").get<std::int64_t>();
  row.loss = number(line, "loss");
  row.grad_norm = number(line, "grad_norm");
  row.lr = number(line, "lr");
  row.tokens_per_second = number(line, "tokens_per_second");
  row.mfu = number(line, "mfu");
  row.memory_bytes = static_cast<std::int64_t>(number(line, "memory_bytes"));
  row.time = number(line, "time");
  row.loss_scale = number(line, "loss_scale");
  row.step_seconds = number(line, "step_seconds");
  row.bubble_rate = number(line, "bubble_rate");
  row.exposed_communication = number(line, "exposed_communication");
  return row;
}

ValidationRow validation_of(const Json& line) {
  return {line.at("step").get<std::int64_t>(), number(line, "loss"), number(line, "perplexity"),
          static_cast<std::int64_t>(number(line, "tokens")), number(line, "time")};
}

}  // namespace

std::string json_number(double value) {
  return std::isfinite(value) ? fmt::format("{:.17g}", value) : "null";
}

MetricsLog::MetricsLog(std::string path, std::optional<std::int64_t> resumed_step)
    : path_(std::move(path)) {
  if (resumed_step) keep_lines_until(*resumed_step);
  file_.open(path_, resumed_step ? std::ios::app : std::ios::trunc);
  require(file_.good(), ExitCode::checkpoint, "cannot write ", path_,
          "; choose another output folder");
}

void MetricsLog::keep_lines_until(std::int64_t step) {
  std::ifstream old(path_);
  std::string kept, line;
  while (std::getline(old, line)) {
    const Json object = Json::parse(line, nullptr, false);
    if (!object.is_object() || !object.contains("step") || !object["step"].is_number_integer())
      continue;
    if (object["step"].get<std::int64_t>() > step) continue;
    kept += line + "\n";
    if (!object.contains("event"))
      history_.rows.push_back(row_of(object));
    else if (object["event"] == "validation")
      history_.validations.push_back(validation_of(object));
  }
  old.close();
  write_file_atomically(path_, kept, FileOps());
}

void MetricsLog::append(const std::string& line) {
  file_ << line << '\n' << std::flush;
  require(file_.good(), ExitCode::checkpoint, "cannot write to ", path_,
          " (disk full?); the run stopped at the last checkpoint");
}

void MetricsLog::write(const MetricsRow& row) {
  history_.rows.push_back(row);
  std::string seconds;
  for (const double rank : row.rank_seconds)
    seconds += (seconds.empty() ? "" : ", ") + fmt::format("{:.6g}", rank);
  append(fmt::format(
      R"({{"step": {}, "loss": {}, "grad_norm": {}, "lr": {}, "tokens_per_second": {}, "mfu": {}, "memory_bytes": {}, "time": {}, "loss_scale": {}, "step_seconds": {}, "bubble_rate": {}, "exposed_communication": {}, "slowest_rank": {}, "rank_seconds": [{}]}})",
      row.step, json_number(row.loss), json_number(row.grad_norm), json_number(row.lr),
      json_number(row.tokens_per_second), json_number(row.mfu), row.memory_bytes,
      json_number(row.time), json_number(row.loss_scale), json_number(row.step_seconds),
      json_number(row.bubble_rate), json_number(row.exposed_communication), row.slowest_rank,
      seconds));
}

void MetricsLog::write(const ValidationRow& row) {
  history_.validations.push_back(row);
  write_event("validation", row.step,
              fmt::format(R"({{"loss": {}, "perplexity": {}, "tokens": {}, "time": {}}})",
                          json_number(row.loss), json_number(row.perplexity), row.tokens,
                          json_number(row.time)));
}

void MetricsLog::write_event(const std::string& name, std::int64_t step,
                             const std::string& json_object) {
  const std::string members = json_object.size() > 2 ? ", " + json_object.substr(1) : "}";
  append(fmt::format(R"({{"event": "{}", "step": {}{})", name, step, members));
}

}  // namespace boostr
