#include "trainer/output_file.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "kernels/runtime/error.h"

namespace boostr {

void write_output_file(const std::string& path, std::string_view contents, std::string_view option,
                       std::ios::openmode mode) {
  std::error_code ignored;  // a folder that cannot be made is a file that cannot be opened
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  errno = 0;
  std::ofstream file(path, std::ios::binary | mode);
  file << contents << std::flush;
  require(file.good(), ExitCode::usage, "cannot write '", path,
          "': ", std::generic_category().message(errno), "; choose another file with ", option);
}

}  // namespace boostr
