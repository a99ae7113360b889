#include "parallel/comm/dry.h"

#include <gtest/gtest.h>

#include "kernels/runtime/error.h"
#include "kernels/runtime/memory_ledger.h"
#include "parallel/comm/shared_board.h"
#include "parallel/mesh.h"

namespace boostr {
namespace {

DryWorld world_of(int size, std::map<std::string, GroupPlace> groups) {
  return {.world = {1, size, 1}, .groups = std::move(groups), .calls = {}};
}

TEST(DryWorld, PlacesARankInEachGroupOfTheMesh) {
  DryWorld world = world_of(4096, {{"pp", {3, 16, 256}},
                                   {"dp", {0, 32, 8}},
                                   {"shard", {0, 32, 8}},
                                   {"replicate", {0, 1, 256}},
                                   {"tp", {1, 8, 1}},
                                   {"model", {25, 128, 1}}});
  const auto communicator = dry_communicator(world);
  Mesh mesh(*communicator, {.pipeline = 16, .replicate = 1, .shard = 32, .tensor = 8});
  EXPECT_EQ(mesh.pp().rank(), 3);
  EXPECT_EQ(mesh.shard().size(), 32);
  EXPECT_EQ(mesh.tp().rank(), 1);
  EXPECT_TRUE(world.calls.empty());
  EXPECT_THROW(communicator->split(0, 0, "another"), Error);
}

TEST(DryWorld, NotesWhatARankSends) {
  DryWorld world = world_of(8, {{"pair", {0, 2, 4}}, {"alone", {0, 1, 1}}});
  const auto communicator = dry_communicator(world);
  std::vector<float> whole(64, 1), piece(8, 2);
  const Out all{whole.data(), DType::f32, {64}}, part{piece.data(), DType::f32, {8}};
  communicator->all_reduce(all, ReduceOp::sum, {}).wait();
  communicator->reduce_scatter(part, all, ReduceOp::sum, {}).wait();
  communicator->all_gather(all, part, {}).wait();
  communicator->send(part, 2, 0, {}).wait();
  communicator->split(0, 0, "pair")->broadcast(part, 0).wait();
  communicator->split(0, 0, "alone")->all_reduce(all, ReduceOp::sum, {}).wait();
  ASSERT_EQ(world.calls.size(), 5U);
  EXPECT_EQ(world.calls[0].sent_bytes(), 2 * 256 * 7.0 / 8);
  EXPECT_EQ(world.calls[1].sent_bytes(), 256 * 7.0 / 8);
  EXPECT_EQ(world.calls[2].sent_bytes(), 256 * 7.0 / 8);
  EXPECT_EQ(world.calls[3].sent_bytes(), 32);
  EXPECT_EQ(world.calls[4].group, "pair");
  EXPECT_EQ(world.calls[4].place.stride, 4);
  EXPECT_EQ(whole[0], 1) << "nothing moves";
}

TEST(DryWorld, CountsWhereRanksMeetAndWhatTheyShare) {
  const MemoryLedger& ledger = *MemoryLedger::of_this_thread();
  const std::size_t before = ledger.of(MemoryUse::communication).bytes;
  const std::size_t gradients_before = ledger.of(MemoryUse::gradients).bytes;
  DryWorld world = world_of(2, {{"pair", {0, 2, 1}}, {"alone", {0, 1, 1}}});
  const auto communicator = dry_communicator(world);
  const auto pair = communicator->split(0, 0, "pair"), alone = communicator->split(0, 0, "alone");
  EXPECT_EQ(ledger.of(MemoryUse::communication).bytes - before, 2 * sizeof(RankBlock));
  const CountMemoryAs scope(MemoryUse::gradients);
  EXPECT_EQ(pair->allocate_shared(DType::f32, 100).shape, (Shape{100}));
  EXPECT_EQ(ledger.of(MemoryUse::gradients).bytes - gradients_before, 400U);
}

}  // namespace
}  // namespace boostr
