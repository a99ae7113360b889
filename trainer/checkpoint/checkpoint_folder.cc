#include "trainer/checkpoint/checkpoint_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "trainer/checkpoint/hash.h"
#include "trainer/checkpoint/read_file.h"

namespace boostr {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view step_prefix = "step-";
constexpr std::string_view temporary_prefix = ".tmp-";
constexpr std::string_view trash_prefix = ".trash-";
constexpr std::int64_t largest_manifest = std::int64_t{1} << 30;

std::string step_name(std::int64_t step) {
  std::array<char, 40> name{};
  std::snprintf(name.data(), name.size(), "step-%06lld", static_cast<long long>(step));
  return name.data();
}

/// The step that a folder's name states, or -1.
std::int64_t step_of(const std::string& name) {
  constexpr std::size_t most_digits = 18;
  if (!name.starts_with(step_prefix)) return -1;
  const std::string digits = name.substr(step_prefix.size());
  if (digits.empty() || digits.size() > most_digits) return -1;
  if (digits.find_first_not_of("0123456789") != std::string::npos) return -1;
  const std::int64_t step = std::stoll(digits);
  return step_name(step) == name ? step : -1;
}

/// The entries of a folder; none if there is no such folder.
std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    paths.push_back(at->path());
  require(!error || error == std::errc::no_such_file_or_directory, ExitCode::checkpoint,
          "cannot list ", folder.string(), ": ", error.message());
  return paths;
}

/// The names of the file's tensors whose bytes do not have their hashes, at most three of them.
std::string damaged_tensors(const FileToRead& file, const FileRecord& record) {
  std::string names;
  int found = 0;
  for (const TensorRecord& tensor : record.tensors) {
    if (file.hash(tensor.file_offset, tensor.bytes) == tensor.hash) continue;
    if (++found <= 3) names += text(names.empty() ? "" : ", ", tensor.group, "/", tensor.name);
  }
  if (found == 0) return "its tensors are whole, its structure is not";
  return text("damaged: ", names, found > 3 ? text(" and ", found - 3, " more") : "");
}

FileToRead open_sized(const fs::path& folder, const FileRecord& record) {
  FileToRead file(folder / record.name);
  require(file.size() == record.bytes, ExitCode::checkpoint, file.path().string(), " has ",
          file.size(), " bytes instead of ", record.bytes, ": it is truncated or was changed");
  return file;
}

fs::path move_to_trash(const FileOps& ops, const fs::path& folder) {
  fs::path trash = folder.parent_path() / (std::string(trash_prefix) + folder.filename().string());
  ops.remove_all(trash);
  ops.rename(folder, trash);
  return trash;
}

}  // namespace

std::vector<CheckpointFolder> find_checkpoints(const fs::path& checkpoints) {
  std::vector<CheckpointFolder> found;
  for (const fs::path& path : entries(checkpoints)) {
    const std::int64_t step = step_of(path.filename().string());
    std::error_code error;
    if (step >= 0 && fs::is_directory(fs::symlink_status(path, error)))
      found.push_back({path, step});
  }
  std::ranges::sort(found, std::ranges::greater{}, &CheckpointFolder::step);
  return found;
}

fs::path step_folder(const fs::path& checkpoints, std::int64_t step) {
  return checkpoints / step_name(step);
}

fs::path temporary_folder(const fs::path& checkpoints, std::int64_t step) {
  return checkpoints / (std::string(temporary_prefix) + step_name(step));
}

Manifest read_manifest(const fs::path& folder) {
  const FileToRead file(folder / manifest_name);
  require(file.size() <= largest_manifest, ExitCode::checkpoint, file.path().string(), " has ",
          file.size(), " bytes: that is no manifest");
  std::string contents(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, contents.data(), file.size());
  try {
    return parse_manifest(contents);
  } catch (const Error& error) {
    throw Error(ExitCode::checkpoint, text(file.path().string(), ": ", error.what()));
  }
}

void verify_size(const fs::path& folder, const FileRecord& record) { open_sized(folder, record); }

void verify_file(const fs::path& folder, const FileRecord& record) {
  const FileToRead file = open_sized(folder, record);
  if (file.hash(0, file.size()) == record.hash) return;
  throw Error(ExitCode::checkpoint,
              text(file.path().string(), " does not have the hash in the manifest (",
                   damaged_tensors(file, record), ")"));
}

Manifest verify_checkpoint(const fs::path& folder) {
  Manifest manifest = read_manifest(folder);
  for (const FileRecord& file : manifest.files) verify_file(folder, file);
  return manifest;
}

void commit_checkpoint(const FileOps& ops, const fs::path& checkpoints, const Manifest& manifest) {
  const fs::path temporary = temporary_folder(checkpoints, manifest.state.step);
  write_file_atomically(temporary / manifest_name, manifest_text(manifest), ops);
  ops.exchange(temporary, step_folder(checkpoints, manifest.state.step));
  ops.sync_folder(checkpoints);
}

std::vector<fs::path> retire_checkpoints(const FileOps& ops, const fs::path& checkpoints,
                                         std::int64_t step, int keep) {
  const fs::path newest = step_folder(checkpoints, step);
  for (const FileRecord& file : read_manifest(newest).files) verify_size(newest, file);
  std::vector<fs::path> retired;
  int kept = 0;
  for (const CheckpointFolder& folder : find_checkpoints(checkpoints)) {
    const bool later = folder.step > step;
    if (!later && (keep <= 0 || kept < keep)) {
      ++kept;
    } else {
      retired.push_back(move_to_trash(ops, folder.path));
    }
  }
  // What stood under this step's name before has the temporary name now.
  const fs::path replaced = temporary_folder(checkpoints, step);
  std::error_code error;
  if (fs::exists(fs::symlink_status(replaced, error))) retired.push_back(replaced);
  return retired;
}

void remove_retired(const FileOps& ops, const std::vector<fs::path>& folders) {
  if (!folders.empty()) ops.sync_folder(folders.front().parent_path());
  for (const fs::path& folder : folders) ops.remove_all(folder);
}

void discard_later_checkpoints(const FileOps& ops, const fs::path& checkpoints, std::int64_t step) {
  std::vector<fs::path> discarded;
  for (const CheckpointFolder& folder : find_checkpoints(checkpoints)) {
    if (folder.step > step) discarded.push_back(move_to_trash(ops, folder.path));
  }
  remove_retired(ops, discarded);
}

void clean_leftovers(const FileOps& ops, const fs::path& checkpoints) {
  for (const fs::path& path : entries(checkpoints)) {
    const std::string name = path.filename().string();
    if (name.starts_with(temporary_prefix) || name.starts_with(trash_prefix)) ops.remove_all(path);
  }
}

}  // namespace boostr
