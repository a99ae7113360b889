#include "parallel/mesh.h"

#include <gtest/gtest.h>

#include "parallel/comm/threads.h"

namespace boostr {
namespace {

std::string refusal(const MeshDegrees& degrees, int ranks) {
  try {
    resolved(degrees, ranks);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    return e.what();
  }
  return "";
}

TEST(MeshDegrees, FillInWhatTheOthersLeave) {
  EXPECT_EQ(resolved({.pipeline = 2, .tensor = 3}, 12), (MeshDegrees{2, 1, 2, 3}));
  EXPECT_EQ(resolved({}, 1), (MeshDegrees{1, 1, 1, 1}));
}

TEST(MeshDegrees, RefuseAProductThatDoesNotFitAndPrintIt) {
  EXPECT_NE(refusal({.replicate = 2, .shard = 3}, 4).find("= 6 ranks, and there are 4"),
            std::string::npos);
  EXPECT_NE(refusal({.tensor = 3}, 4).find("a multiple of 3"), std::string::npos);
  EXPECT_NE(refusal({.replicate = -1, .shard = -1}, 4).find("only one"), std::string::npos);
  EXPECT_NE(refusal({.replicate = 0}, 4).find("positive"), std::string::npos);
}

TEST(Mesh, GroupsHoldTheRanksThatDifferAlongOneAxis) {
  run_ranks(8, [](Communicator& world) {
    Mesh mesh(world, {.pipeline = 2, .shard = 2, .tensor = 2});
    const int rank = world.rank();
    EXPECT_EQ(mesh.tp().rank(), rank % 2);
    EXPECT_EQ(mesh.dp().rank(), rank / 2 % 2);
    EXPECT_EQ(mesh.pp().rank(), rank / 4);
    for (Communicator* group : {&mesh.tp(), &mesh.dp(), &mesh.pp()}) EXPECT_EQ(group->size(), 2);
    double sum = rank;
    mesh.dp().all_reduce(Out{&sum, DType::f64, Shape{1}}).wait();
    EXPECT_EQ(sum, 2 * rank + (mesh.dp().rank() == 0 ? 2 : -2));
  });
}

TEST(Mesh, TellsItsDegreesAndPlaces) {
  run_ranks(2, [](Communicator& world) {
    Mesh mesh(world, {});
    EXPECT_NE(mesh.describe().find("\"data_parallel_shard_degree\": 2"), std::string::npos);
    EXPECT_EQ(mesh.label(), text("[rank ", world.rank(), "/2 dp ", world.rank(), " tp 0 pp 0]"));
  });
}

}  // namespace
}  // namespace boostr
