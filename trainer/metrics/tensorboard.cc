#include "trainer/metrics/tensorboard.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "kernels/runtime/error.h"
#include "trainer/checkpoint/file_ops.h"

namespace boostr {
namespace {

/// Protocol buffer wire format (https://protobuf.dev/programming-guides/encoding): what an Event
/// needs of it.
void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}
template <class T>
void append_fixed(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}
enum class Wire : int { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };
void append_key(std::string& out, int field, Wire wire) {
  append_varint(out, static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(wire));
}
void append_bytes(std::string& out, int field, const std::string& bytes) {
  append_key(out, field, Wire::bytes);
  append_varint(out, bytes.size());
  out += bytes;
}

/// Event{double wall_time = 1}
std::string event_at(double time) {
  std::string event;
  append_key(event, 1, Wire::fixed64);
  append_fixed(event, time);
  return event;
}

constexpr std::array<std::uint32_t, 256> crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78u : 0u);
    table[i] = crc;
  }
  return table;
}();

/// A CRC of data that holds CRCs is weak, so the format rotates and offsets them.
std::uint32_t masked_crc(const std::string& bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

std::string host_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

void remove_event_files(const std::filesystem::path& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::error_code ignored;
    if (entry.path().filename().string().starts_with("events.out.tfevents."))
      std::filesystem::remove(entry.path(), ignored);
  }
}

}  // namespace

std::uint32_t crc32c(const std::string& bytes) {
  std::uint32_t crc = ~0u;
  for (const unsigned char byte : bytes) crc = (crc >> 8) ^ crc_table[(crc ^ byte) & 0xffu];
  return ~crc;
}

TensorBoardWriter::TensorBoardWriter(const std::string& folder, const MetricsHistory& history) {
  FileOps().make_folder(folder);
  remove_event_files(folder);
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  path_ = text(folder, "/events.out.tfevents.", static_cast<std::int64_t>(now), ".", host_name());
  file_.open(path_, std::ios::binary | std::ios::trunc);
  require(file_.good(), ExitCode::checkpoint, "cannot write ", path_,
          "; choose another output folder");
  std::string version = event_at(now);
  append_bytes(version, 3, "brain.Event:2");  // file_version = 3
  write_record(version);
  for (const MetricsRow& row : history.rows) write(row);
  for (const ValidationRow& row : history.validations) write(row);
}

void TensorBoardWriter::write(const MetricsRow& row) {
  write_scalar("train/loss", row.step, row.time, row.loss);
  write_scalar("train/grad_norm", row.step, row.time, row.grad_norm);
  write_scalar("train/lr", row.step, row.time, row.lr);
  write_scalar("train/tokens_per_second", row.step, row.time, row.tokens_per_second);
  write_scalar("train/mfu", row.step, row.time, row.mfu);
  write_scalar("train/memory_bytes", row.step, row.time, static_cast<double>(row.memory_bytes));
  write_scalar("train/step_seconds", row.step, row.time, row.step_seconds);
  write_scalar("train/bubble_rate", row.step, row.time, row.bubble_rate);
  write_scalar("train/exposed_communication", row.step, row.time, row.exposed_communication);
  flush();
}

void TensorBoardWriter::write(const ValidationRow& row) {
  write_scalar("validation/loss", row.step, row.time, row.loss);
  write_scalar("validation/perplexity", row.step, row.time, row.perplexity);
  flush();
}

void TensorBoardWriter::flush() {
  file_.flush();
  require(file_.good(), ExitCode::checkpoint, "cannot write to ", path_,
          " (disk full?); the run stopped at the last checkpoint");
}

void TensorBoardWriter::write_scalar(const std::string& tag, std::int64_t step, double time,
                                     double value) {
  std::string summary_value;  // Summary.Value{string tag = 1; float simple_value = 2}
  append_bytes(summary_value, 1, tag);
  append_key(summary_value, 2, Wire::fixed32);
  append_fixed(summary_value, static_cast<float>(value));
  std::string summary;  // Summary{repeated Value value = 1}
  append_bytes(summary, 1, summary_value);
  std::string event = event_at(time);
  append_key(event, 2, Wire::varint);  // step = 2
  append_varint(event, static_cast<std::uint64_t>(step));
  append_bytes(event, 5, summary);  // summary = 5
  write_record(event);
}

void TensorBoardWriter::write_record(const std::string& event) {
  std::string length;
  append_fixed(length, static_cast<std::uint64_t>(event.size()));
  std::string record = length;
  append_fixed(record, masked_crc(length));
  record += event;
  append_fixed(record, masked_crc(event));
  file_.write(record.data(), static_cast<std::streamsize>(record.size()));
}

}  // namespace boostr
