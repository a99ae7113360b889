#pragma once

#include <ios>
#include <string>
#include <string_view>

namespace boostr {

/// Writes a file whose name a user gave with `option`, in place of what it holds or (std::ios::app)
/// behind it, in folders that are made where they are absent. Error(usage) that says why it cannot.
void write_output_file(const std::string& path, std::string_view contents, std::string_view option,
                       std::ios::openmode mode = std::ios::trunc);

}  // namespace boostr
