#include "parallel/comm/mpi_leftovers.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <ctime>
#include <fstream>
#include <system_error>
#include <vector>

namespace boostr {
namespace {

namespace fs = std::filesystem;

bool old_and_ours(const fs::path& file, std::chrono::seconds age) {
  struct stat status {};
  return stat(file.c_str(), &status) == 0 && status.st_uid == getuid() &&
         std::time(nullptr) - status.st_mtime >= age.count();
}

/// Takes out of `files` those that the process maps.
void keep_unmapped(std::vector<fs::path>& files, const fs::path& process) {
  std::ifstream maps(process / "maps");
  for (std::string line; !files.empty() && std::getline(maps, line);) {
    std::erase_if(files, [&](const fs::path& file) { return line.ends_with(file.string()); });
  }
}

}  // namespace

void remove_mpi_leftovers(const fs::path& folder, const std::string& host,
                          std::chrono::seconds age) {
  const std::string prefix = "vader_segment." + host + ".";
  std::vector<fs::path> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const bool segment = entry.path().filename().string().starts_with(prefix);
    if (segment && old_and_ours(entry.path(), age)) files.push_back(entry.path());
  }
  if (files.empty()) return;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().string();
    if (std::isdigit(static_cast<unsigned char>(name[0])) != 0) keep_unmapped(files, entry.path());
  }
  for (const fs::path& file : files) fs::remove(file, error);
}

}  // namespace boostr
