#include "trainer/data/input_files.h"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

/// The result of glob(3); freed when it goes out of scope.
struct Matches {
  glob_t paths{};
  Matches() = default;
  Matches(const Matches&) = delete;
  Matches& operator=(const Matches&) = delete;
  ~Matches() { globfree(&paths); }
};

/// A folder that is there but cannot be read must not look like one without matches.
int stop_at_unreadable_folder(const char*, int error) { return error == EACCES || error == EIO; }

std::vector<std::string> expand(const std::string& pattern, const std::string& key) {
  std::error_code ignored;
  if (std::filesystem::exists(pattern, ignored)) return {pattern};
  require(pattern.find("**") == std::string::npos, ExitCode::data, key, ": '", pattern,
          "': '**' is not supported; list the levels, as in {*,*/*,*/*/*}.txt");
  Matches matches;
  const int status =
      glob(pattern.c_str(), GLOB_NOSORT | GLOB_BRACE, stop_at_unreadable_folder, &matches.paths);
  require(status == 0 || status == GLOB_NOMATCH, ExitCode::data, key, ": a folder of '", pattern,
          "' cannot be read: ", std::strerror(errno));
  require(status == 0 && matches.paths.gl_pathc > 0, ExitCode::data, key, ": no file matches '",
          pattern, "' (working directory: ", std::filesystem::current_path(ignored).string(), ")");
  const auto first = matches.paths.gl_pathv;
  std::vector<std::string> paths(first, first + matches.paths.gl_pathc);
  // Not glob's own order: that follows the locale.
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

std::vector<std::string> find_input_files(const std::string& pattern, const std::string& key) {
  std::vector<std::string> files;
  std::set<std::pair<dev_t, ino_t>> seen;
  for (const std::string& path : expand(pattern, key)) {
    struct stat info;
    require(stat(path.c_str(), &info) == 0, ExitCode::data, key, ": cannot read '", path,
            "': ", std::strerror(errno));
    require(!S_ISDIR(info.st_mode), ExitCode::data, key, ": '", path,
            "' is a folder; expected files, as in '", path, "/*.txt'");
    require(S_ISREG(info.st_mode), ExitCode::data, key, ": '", path, "' is not a regular file");
    require(info.st_size > 0, ExitCode::data, key, ": '", path, "' is empty");
    if (seen.emplace(info.st_dev, info.st_ino).second) files.push_back(path);
  }
  return files;
}

}  // namespace boostr
