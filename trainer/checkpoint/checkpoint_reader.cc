#include "trainer/checkpoint/checkpoint_reader.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <system_error>

#include "trainer/checkpoint/byte_exchange.h"
#include "trainer/checkpoint/checkpoint_folder.h"
#include "trainer/checkpoint/read_file.h"
#include "trainer/checkpoint/tensor_region.h"

namespace boostr {
namespace fs = std::filesystem;

namespace {

std::string read_recipe(const fs::path& folder) {
  const FileToRead file(folder / recipe_name);
  std::string recipe(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, recipe.data(), file.size());
  return recipe;
}

/// Copies what the part holds of `target`; returns how many elements that are.
std::int64_t read_overlap(const fs::path& path, const TensorRecord& part,
                          const CheckpointTensor& target) {
  std::int64_t elements = 0;
  std::optional<FileToRead> file;  // opened only if the part has anything
  const auto element = static_cast<std::int64_t>(size_of(part.dtype));
  for_each_overlap(part.region, target.region(),
                   [&](std::int64_t from, std::int64_t to, std::int64_t count) {
                     if (!file) file.emplace(path);
                     file->read(part.file_offset + from * element,
                                target.local.as<std::byte>() + to * element, count * element);
                     elements += count;
                   });
  return elements;
}

/// "group/name" of every target, one a line.
std::string names_of(const std::vector<CheckpointTensor>& targets) {
  std::string names;
  for (const CheckpointTensor& target : targets) names += target.group + "\n" + target.name + "\n";
  return names;
}

/// Verifies the folder together, each rank its share of the files. Returns the manifest, or why
/// not, alike on every rank.
std::pair<Manifest, std::string> verify_together(Communicator& world, const fs::path& folder) {
  Manifest manifest;
  std::string failure = failure_of([&] { manifest = read_manifest(folder); });
  if (failure.empty()) {
    // Ranks see the same bytes only if they see the same file system.
    failure = failure_of([&] {
      const auto ranks = static_cast<std::size_t>(world.size());
      for (auto i = static_cast<std::size_t>(world.rank()); i < manifest.files.size(); i += ranks) {
        verify_file(folder, manifest.files[i]);
      }
    });
  }
  for (const std::string& of_rank : all_gather_bytes(world, failure)) {
    if (!of_rank.empty()) return {std::move(manifest), of_rank};
  }
  return {std::move(manifest), ""};
}

/// Rank 0's list of checkpoints, newest first, on every rank.
std::vector<fs::path> list_together(Communicator& world, const fs::path& checkpoints) {
  std::string names;
  fail_together(world, failure_of([&] {
                  if (world.rank() != 0) return;
                  for (const CheckpointFolder& found : find_checkpoints(checkpoints))
                    names += found.path.filename().string() + "\n";
                }));
  names = broadcast_bytes(world, names);
  std::vector<fs::path> folders;
  for (std::size_t begin = 0; begin < names.size();) {
    const std::size_t end = names.find('\n', begin);
    folders.push_back(checkpoints / names.substr(begin, end - begin));
    begin = end + 1;
  }
  return folders;
}

void require_no_run(Communicator& world, const fs::path& output) {
  fail_together(world, failure_of([&] {
                  if (world.rank() != 0) return;
                  std::error_code error;
                  const bool holds = fs::exists(output / "metrics.jsonl", error) ||
                                     !find_checkpoints(output / "checkpoints").empty();
                  require(!holds, ExitCode::checkpoint, output.string(),
                          " already holds a run and checkpoint.resume is never; choose ",
                          "another output, remove that folder, or set checkpoint.resume to auto");
                }));
}

}  // namespace

CheckpointReader::CheckpointReader(fs::path folder, const Manifest& manifest)
    : folder_(std::move(folder)), state_(manifest.state) {
  state_.recipe = read_recipe(folder_);
  for (const FileRecord& file : manifest.files) {
    for (const TensorRecord& tensor : file.tensors) {
      parts_[{tensor.group, tensor.name}].push_back({folder_ / file.name, tensor});
    }
  }
}

bool CheckpointReader::has_group(const std::string& group) const {
  const auto first = parts_.lower_bound({group, ""});
  return first != parts_.end() && first->first.first == group;
}

void CheckpointReader::read(const CheckpointTensor& target) const {
  const std::string full = target.group + "/" + target.name;
  const std::string fault = region_fault(target.region());
  expect(fault.empty(), "checkpoint: ", full, ": ", fault);
  const auto found = parts_.find({target.group, target.name});
  require(found != parts_.end(), ExitCode::checkpoint, folder_.string(), " has no tensor ", full,
          "; the recipe's model or optimizer is not the one it was saved with");
  std::int64_t elements = 0;
  for (const auto& [file, part] : found->second) {
    require(part.region.global_shape == target.global_shape, ExitCode::checkpoint, full,
            " has the shape ", part.region.global_shape, " in ", folder_.string(), " but ",
            target.global_shape, " in this run");
    require(part.dtype == target.local.dtype, ExitCode::checkpoint, full, " is ", part.dtype,
            " in ", folder_.string(), " but ", target.local.dtype,
            " in this run; keep precision.compute as it was");
    elements += read_overlap(file, part, target);
  }
  require(elements == target.local.shape.numel(), ExitCode::checkpoint, folder_.string(), " holds ",
          elements, " of the ", target.local.shape.numel(), " elements wanted of ", full);
}

void CheckpointReader::load(Communicator& world,
                            const std::vector<CheckpointTensor>& targets) const {
  fail_together(world, failure_of([&] {
                  for (const CheckpointTensor& target : targets) read(target);
                }));
  std::set<std::string> groups;
  std::set<std::pair<std::string, std::string>> wanted;
  for (const std::string& names : all_gather_bytes(world, names_of(targets))) {
    for (std::size_t at = 0; at < names.size();) {
      const std::size_t middle = names.find('\n', at);
      const std::size_t end = names.find('\n', middle + 1);
      const std::string group = names.substr(at, middle - at);
      groups.insert(group);
      wanted.insert({group, names.substr(middle + 1, end - middle - 1)});
      at = end + 1;
    }
  }
  for (const auto& [tensor, parts] : parts_) {
    require(!groups.contains(tensor.first) || wanted.contains(tensor), ExitCode::checkpoint,
            folder_.string(), " has a tensor that this run's model does not: ", tensor.first, "/",
            tensor.second);
  }
}

ResumeChoice choose_checkpoint(Communicator& world, const fs::path& output,
                               const std::string& resume) {
  ResumeChoice choice;
  if (resume == "never") {
    require_no_run(world, output);
    return choice;
  }
  const bool automatic = resume == "auto";
  const std::vector<fs::path> folders =
      automatic ? list_together(world, output / "checkpoints") : std::vector<fs::path>{resume};
  for (const fs::path& folder : folders) {
    const auto [manifest, failure] = verify_together(world, folder);
    if (failure.empty()) {
      choice.checkpoint.emplace(folder, manifest);
      return choice;
    }
    require(
        automatic, ExitCode::checkpoint, "checkpoint.resume: ", folder.string(),
        " is not a whole checkpoint: ", failure,
        "; name a folder like runs/x/checkpoints/step-000050, or set checkpoint.resume to auto");
    choice.skipped.push_back({folder, failure});
  }
  return choice;
}

}  // namespace boostr
