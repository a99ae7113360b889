#include <gtest/gtest.h>

#include <map>
#include <string>

#include "parallel/comm/mpi.h"

namespace boostr {
namespace {

using Variables = std::map<std::string, std::string>;

Environment lookup(const Variables& variables) {
  return [&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

int ranks_in(const Variables& variables) { return launched_ranks(lookup(variables)); }

int local_rank_in(const Variables& variables) { return launched_local_rank(lookup(variables)); }

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

TEST(LaunchedRanks, EveryLauncherTellsTheNumberOnTheHost) {
  EXPECT_EQ(local_rank_in({}), 0);
  EXPECT_EQ(local_rank_in({{"OMPI_COMM_WORLD_LOCAL_RANK", "3"}}), 3);
  EXPECT_EQ(local_rank_in({{"MPI_LOCALRANKID", "2"}}), 2);
  EXPECT_EQ(local_rank_in({{"SLURM_LOCALID", "1"}, {"SLURM_PROCID", "9"}}), 1);
  EXPECT_EQ(local_rank_in({{"OMPI_COMM_WORLD_LOCAL_RANK", "nonsense"}}), 0);
}

}  // namespace
}  // namespace boostr
