#pragma once

#include <cstdint>
#include <fstream>
#include <string>

#include "trainer/metrics/metrics_log.h"

namespace boostr {

/// Writes TensorBoard event files: records of [u64 length][masked CRC32C of it][Event
/// protobuf][masked CRC32C of that], where an Event holds wall_time, step and scalar summaries.
/// Tags: train/loss, train/grad_norm, train/lr, train/tokens_per_second, train/mfu,
/// train/memory_bytes, validation/loss, validation/perplexity.
class TensorBoardWriter {
 public:
  /// Starts a new event file in `folder` (created if absent) in place of earlier ones, beginning
  /// with `history`: metrics.jsonl is the truth, so a resumed run shows no step twice.
  TensorBoardWriter(const std::string& folder, const MetricsHistory& history);

  void write(const MetricsRow& row);
  void write(const ValidationRow& row);

 private:
  void write_scalar(const std::string& tag, std::int64_t step, double time, double value);
  void write_record(const std::string& event);
  /// Hands what was written to the system; Error(checkpoint) if it refuses.
  void flush();

  std::string path_;
  std::ofstream file_;
};

/// CRC-32C (Castagnoli) of bytes.
std::uint32_t crc32c(const std::string& bytes);

}  // namespace boostr
