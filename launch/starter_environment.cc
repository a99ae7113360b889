#include "launch/starter_environment.h"

#include <charconv>
#include <cstdlib>
#include <initializer_list>
#include <string_view>

namespace boostr {

namespace {

// The first of these variables that holds a number; 0 if none does.
int number_from(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* value = std::getenv(name);
    if (value == nullptr) continue;
    const std::string_view text(value);
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size() && number >= 0) return number;
  }
  return 0;
}

}  // namespace

StarterEnvironment read_starter_environment() {
  return {.rank = number_from({"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"}),
          .local_rank =
              number_from({"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"})};
}

}  // namespace boostr
