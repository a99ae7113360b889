#include <gtest/gtest.h>

#include <map>
#include <string>

#include "parallel/comm/mpi.h"

namespace boostr {
namespace {

int ranks_in(const std::map<std::string, std::string>& variables) {
  return launched_ranks([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(LaunchedRanks, WithoutALauncherThereIsOne) { EXPECT_EQ(ranks_in({}), 1); }

TEST(LaunchedRanks, MpirunSaysHowMany) {
  EXPECT_EQ(ranks_in({{"OMPI_COMM_WORLD_SIZE", "4"}}), 4);
  EXPECT_EQ(ranks_in({{"OMPI_COMM_WORLD_SIZE", "1"}}), 1);
  EXPECT_EQ(ranks_in({{"PMI_SIZE", "3"}}), 3);
}

TEST(LaunchedRanks, SrunWithPmixSaysHowMany) {
  EXPECT_EQ(ranks_in({{"SLURM_STEP_NUM_TASKS", "8"}, {"SLURM_STEP_ID", "0"}, {"PMIX_RANK", "2"}}),
            8);
}

TEST(LaunchedRanks, ABatchScriptIsOneProcess) {
  EXPECT_EQ(ranks_in({{"SLURM_NTASKS", "8"}, {"SLURM_JOB_ID", "12"}}), 1);
}

TEST(LaunchedRanks, SrunWithoutPmixIsAnErrorInsteadOfManySingleRuns) {
  try {
    ranks_in({{"SLURM_STEP_NUM_TASKS", "8"}, {"SLURM_STEP_ID", "0"}});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    EXPECT_NE(std::string(error.what()).find("srun --mpi=pmix"), std::string::npos);
  }
}

}  // namespace
}  // namespace boostr
