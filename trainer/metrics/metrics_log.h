#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

namespace boostr {

/// One logged training step: a row of metrics.jsonl.
struct MetricsRow {
  std::int64_t step = 0;  ///< counts from 1; loss is the one before update `step`
  double loss = 0;        ///< mean over all targets of the global batch, nats per token
  double grad_norm = 0;   ///< before clipping
  double lr = 0;
  double tokens_per_second =
      0;           ///< since the previous row, over all ranks, without validation and saves
  double mfu = 0;  ///< 0..1
  std::int64_t memory_bytes = 0;  ///< peak resident set of the largest rank
  double time = 0;                ///< seconds since the epoch
  double loss_scale = 1;
  double step_seconds = 0;           ///< mean of the steps since the previous row
  double bubble_rate = 0;            ///< of the pipeline, 0..1
  double exposed_communication = 0;  ///< of the ranks' time, 0..1, without the pipeline's bubbles
  int slowest_rank = 0;              ///< that computed longest
  std::vector<double> rank_seconds = {};  ///< by rank: of a step, what the rank computed
};

/// One validation.
struct ValidationRow {
  std::int64_t step = 0;
  double loss = 0;
  double perplexity = 0;
  std::int64_t tokens = 0;
  double time = 0;
};

/// What a run has measured so far, for pictures and summaries.
struct MetricsHistory {
  std::vector<MetricsRow> rows;
  std::vector<ValidationRow> validations;
};

/// metrics.jsonl: one JSON object per line, flushed line by line. Rows of training steps have the
/// members of MetricsRow; every other kind of line carries "event". After a resume from step s the
/// lines of later steps, and a half line that a killed run left, are removed, so that no step is
/// there twice or missing.
class MetricsLog {
 public:
  /// Opens `path` (its folder must exist). With `resumed_step` empty the file starts anew;
  /// otherwise lines up to that step are kept and read into history().
  MetricsLog(std::string path, std::optional<std::int64_t> resumed_step);

  void write(const MetricsRow& row);
  void write(const ValidationRow& row);
  /// A line {"event": name, ...members of `json_object`}.
  void write_event(const std::string& name, std::int64_t step, const std::string& json_object);

  const MetricsHistory& history() const { return history_; }

 private:
  void keep_lines_until(std::int64_t step);
  void append(const std::string& line);

  std::string path_;
  std::ofstream file_;
  MetricsHistory history_;
};

/// Shortest decimal that needs at most 17 digits and reads back as the same double; "null" where it
/// is not finite.
std::string json_number(double value);

}  // namespace boostr
