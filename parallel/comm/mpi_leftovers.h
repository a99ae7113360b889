#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace boostr {

/// Removes what killed MPI jobs of this user on this host have left in `folder` (/dev/shm): Open
/// MPI's "vader_segment.<host>.*" files, 4 MB for each rank, that are older than `age` and that no
/// process maps. Where shared memory is small (a container's 64 MB), a few kill -9 would otherwise
/// end all later runs. Never throws: what cannot be removed stays.
void remove_mpi_leftovers(const std::filesystem::path& folder, const std::string& host,
                          std::chrono::seconds age);

}  // namespace boostr
