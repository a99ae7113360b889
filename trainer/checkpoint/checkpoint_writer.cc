#include "trainer/checkpoint/checkpoint_writer.h"

#include <algorithm>
#include <map>
#include <utility>

#include "trainer/checkpoint/byte_exchange.h"
#include "trainer/checkpoint/checkpoint_folder.h"
#include "trainer/checkpoint/hash.h"
#include "trainer/checkpoint/shard_writer.h"
#include "trainer/checkpoint/tensor_region.h"

namespace boostr {
namespace {

using Tensor = std::pair<std::string, std::string>;  // group, name

using Parts = std::vector<const TensorRecord*>;

/// Whether part `i` shares an element with an earlier one.
bool overlaps_earlier(const Parts& parts, std::size_t i) {
  return std::any_of(
      parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(i),
      [&](const TensorRecord* part) { return overlap(parts[i]->region, part->region); });
}

/// "" if the files together hold every element of every tensor once.
std::string coverage_fault(const std::vector<FileRecord>& files) {
  std::map<Tensor, Parts> tensors;
  for (const FileRecord& file : files) {
    for (const TensorRecord& tensor : file.tensors)
      tensors[{tensor.group, tensor.name}].push_back(&tensor);
  }
  for (const auto& [tensor, parts] : tensors) {
    const TensorRecord& first = *parts.front();
    std::int64_t held = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (parts[i]->region.global_shape != first.region.global_shape ||
          parts[i]->dtype != first.dtype) {
        return text(tensor.first, "/", tensor.second, ": ranks give different shapes or types");
      }
      if (overlaps_earlier(parts, i))
        return text(tensor.first, "/", tensor.second, ": parts overlap");
      held += parts[i]->region.shape.numel();
    }
    if (held != first.region.global_shape.numel()) {
      return text(tensor.first, "/", tensor.second, ": ranks give ", held, " elements of ",
                  first.region.global_shape);
    }
  }
  return "";
}

FileRecord write_recipe(const FileOps& ops, const std::filesystem::path& folder,
                        const std::string& recipe) {
  write_file_atomically(folder / recipe_name, recipe, ops);
  return {std::string(recipe_name), static_cast<std::int64_t>(recipe.size()), hash128(recipe), {}};
}

std::string records_text(const std::vector<FileRecord>& records) {
  std::string all;
  for (const FileRecord& record : records) {
    if (!all.empty()) all += '\0';  // a byte that JSON never holds
    all += record_text(record);
  }
  return all;
}

std::vector<FileRecord> parse_records(const std::string& all) {
  std::vector<FileRecord> records;
  for (std::size_t begin = 0; begin <= all.size();) {
    const std::size_t end = std::min(all.find('\0', begin), all.size());
    records.push_back(parse_record(std::string_view(all).substr(begin, end - begin)));
    begin = end + 1;
  }
  return records;
}

}  // namespace

CheckpointWriter::CheckpointWriter(Communicator& world, CheckpointOptions options)
    : world_(world), options_(std::move(options)) {
  fail_together(world_, failure_of([&] {
                  if (world_.rank() != 0) return;
                  options_.files.make_folder(options_.folder);
                  options_.files.sync_folder(
                      options_.folder.parent_path().empty() ? "." : options_.folder.parent_path());
                  clean_leftovers(options_.files, options_.folder);
                }));
}

void CheckpointWriter::write(const std::vector<CheckpointTensor>& tensors) {
  const std::filesystem::path folder = temporary_folder(options_.folder, state_.step);
  records_.clear();
  failure_ = failure_of([&] {
    options_.files.make_folder(folder);
    records_.push_back(write_shard(options_.files, folder / shard_name(world_.rank()), tensors));
    if (world_.rank() == 0) records_.push_back(write_recipe(options_.files, folder, state_.recipe));
  });
  status_.store(failure_.empty() ? SaveStatus::written : SaveStatus::failed,
                std::memory_order_release);
}

void CheckpointWriter::reserve(const std::vector<CheckpointTensor>& tensors) {
  expect(status() == SaveStatus::idle, "CheckpointWriter::reserve: a save is under way");
  wait();
  staging_.reserve(tensors);
  worker_ = std::jthread([this] { staging_.populate(); });
}

void CheckpointWriter::begin(const std::vector<CheckpointTensor>& tensors,
                             const TrainingState& state) {
  expect(status() == SaveStatus::idle, "CheckpointWriter::begin: the save of step ", state_.step,
         " is not committed yet");
  wait();  // for the removal of old checkpoints, or for reserve
  std::vector<CheckpointTensor> staged = staging_.copy(tensors, options_.copy_threads);
  state_ = state;
  status_.store(SaveStatus::writing, std::memory_order_release);
  worker_ = std::jthread([this, staged = std::move(staged)] { write(staged); });
}

void CheckpointWriter::wait() {
  if (worker_.joinable()) worker_.join();
}

CommitReport CheckpointWriter::save(const std::vector<CheckpointTensor>& tensors,
                                    const TrainingState& state) {
  expect(status() == SaveStatus::idle, "CheckpointWriter::save: the save of step ", state_.step,
         " is not committed yet");
  wait();
  state_ = state;
  write(tensors);
  return commit();
}

CommitReport CheckpointWriter::commit() {
  expect(status() != SaveStatus::idle, "CheckpointWriter::commit: no save was begun");
  wait();
  try {
    CommitReport report = commit_together();
    status_.store(SaveStatus::idle, std::memory_order_release);
    return report;
  } catch (const Error&) {
    status_.store(SaveStatus::idle, std::memory_order_release);
    throw;
  }
}

CommitReport CheckpointWriter::commit_together() {
  const std::filesystem::path temporary = temporary_folder(options_.folder, state_.step);
  CommitReport report{.step = state_.step,
                      .folder = step_folder(options_.folder, state_.step),
                      .bytes = 0,
                      .warnings = {}};
  try {
    fail_together(world_, failure_);
    const Manifest manifest = collect(all_gather_bytes(world_, records_text(records_)));
    for (const FileRecord& file : manifest.files) report.bytes += file.bytes;
    fail_together(world_, failure_of([&] {
                    if (world_.rank() != 0) return;
                    const std::string fault = coverage_fault(manifest.files);
                    expect(fault.empty(), "the tensors given are not whole: ", fault);
                    commit_checkpoint(options_.files, options_.folder, manifest);
                  }));
  } catch (const Error& error) {
    // Every rank is here, so nobody writes any more.
    if (world_.rank() == 0) failure_of([&] { options_.files.remove_all(temporary); });
    world_.barrier();
    throw Error(error.code(),
                text("the checkpoint of step ", state_.step,
                     " was not saved; earlier ones are as they were: ", error.what()));
  }
  if (world_.rank() == 0) report.warnings = prune();
  return report;
}

Manifest CheckpointWriter::collect(const std::vector<std::string>& records) const {
  Manifest manifest{.code_version = options_.code_version, .state = state_, .files = {}};
  for (const std::string& of_rank : records) {
    for (FileRecord& record : parse_records(of_rank)) manifest.files.push_back(std::move(record));
  }
  return manifest;
}

std::vector<std::string> CheckpointWriter::prune() {
  std::vector<std::string> warnings;
  if (!removal_warning_.empty()) warnings.push_back(std::exchange(removal_warning_, ""));
  const std::string failure = failure_of([&] {
    std::vector<std::filesystem::path> retired =
        retire_checkpoints(options_.files, options_.folder, state_.step, options_.keep_latest_k);
    if (retired.empty()) return;
    worker_ = std::jthread([this, retired = std::move(retired)] {
      removal_warning_ = failure_of([&] { remove_retired(options_.files, retired); });
    });
  });
  if (!failure.empty()) warnings.push_back(failure);
  return warnings;
}

}  // namespace boostr
