#include "tests/parallel/conformance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "tests/parallel/rank_values.h"
#include "tests/parallel/test_buffer.h"

namespace boostr::testing {
namespace {

constexpr std::int64_t large = 1'000'003;

template <class T>
bool same_bits(const T& a, const T& b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

/// Expects actual[i] = expected(i), bit for bit; reports the first difference only.
template <class T, class Expected>
void expect_values(const T* actual, std::int64_t numel, const Expected& expected,
                   const std::string& what) {
  for (std::int64_t i = 0; i < numel; ++i) {
    if (same_bits(actual[i], expected(i))) continue;
    ADD_FAILURE() << what << ": " << dtype_of<T> << " element " << i << " of " << numel
                  << " differs from the in-order reference";
    return;
  }
}

template <class T>
void check_all_reduce(Communicator& group, std::int64_t numel, bool shared, ReduceOp op) {
  TestBuffer<T> buffer(group, numel, shared);
  buffer.fill(group.rank());
  group.all_reduce(buffer.out(), op).wait();
  expect_values<T>(
      buffer.data(), numel, [&](std::int64_t i) { return reduced_value<T>(group.size(), i, op); },
      text("all_reduce ", name(op), shared ? " shared" : " ordinary"));
}

void all_reduce_adds_in_rank_order(Communicator& world) {
  for_each_dtype([&]<class T>() {
    for (const std::int64_t numel : {std::int64_t{0}, std::int64_t{1}, std::int64_t{7}, large}) {
      check_all_reduce<T>(world, numel, false, ReduceOp::sum);
    }
  });
}

void all_reduce_in_shared_memory_adds_in_rank_order(Communicator& world) {
  for_each_dtype([&]<class T>() {
    for (const std::int64_t numel : {std::int64_t{0}, std::int64_t{1}, std::int64_t{7}, large}) {
      check_all_reduce<T>(world, numel, true, ReduceOp::sum);
    }
  });
}

void all_reduce_finds_extremes(Communicator& world) {
  for_each_dtype([&]<class T>() {
    for (const bool shared : {false, true}) {
      check_all_reduce<T>(world, 5003, shared, ReduceOp::max);
      check_all_reduce<T>(world, 5003, shared, ReduceOp::min);
    }
  });
}

void all_reduce_of_part_of_a_shared_buffer_leaves_the_rest(Communicator& world) {
  constexpr std::int64_t numel = 50'000, first = 1'001, count = 40'003;
  TestBuffer<float> buffer(world, numel, true);
  buffer.fill(world.rank());
  world.all_reduce(buffer.out(first, count)).wait();
  expect_values<float>(
      buffer.data(), numel,
      [&](std::int64_t i) {
        return i >= first && i < first + count
                   ? reduced_value<float>(world.size(), i, ReduceOp::sum)
                   : rank_value<float>(world.rank(), i);
      },
      "part of a shared buffer");
}

void extremes_keep_nan(Communicator& world) {
  for (const ReduceOp op : {ReduceOp::max, ReduceOp::min}) {
    std::vector<double> values = {
        world.rank() == world.size() - 1 ? std::numeric_limits<double>::quiet_NaN() : 1.0,
        world.rank() == 0 ? std::numeric_limits<double>::quiet_NaN() : 1.0};
    world.all_reduce(out_of(values), op).wait();
    EXPECT_TRUE(std::isnan(values[0]) && std::isnan(values[1])) << name(op);
  }
}

template <class T>
void check_reduce_scatter(Communicator& group, std::int64_t piece, bool shared) {
  TestBuffer<T> input(group, piece * group.size(), shared);
  input.fill(group.rank());
  std::vector<T> output(static_cast<std::size_t>(piece));
  const std::int64_t begin = piece * group.rank();
  const auto expected = [&](std::int64_t i) {
    return reduced_value<T>(group.size(), begin + i, ReduceOp::sum);
  };
  group.reduce_scatter(out_of(output), input.out()).wait();
  expect_values<T>(output.data(), piece, expected, "reduce_scatter");
  group.reduce_scatter(input.out(begin, piece), input.out()).wait();
  expect_values<T>(input.data() + begin, piece, expected, "reduce_scatter in place");
}

void reduce_scatter_gives_each_rank_its_piece(Communicator& world) {
  for_each_dtype([&]<class T>() {
    for (const bool shared : {false, true}) {
      for (const std::int64_t piece : {0, 1, 7, dtype_of<T> == DType::f32 ? 300'007 : 5'003})
        check_reduce_scatter<T>(world, piece, shared);
    }
  });
}

template <class T>
void check_all_gather(Communicator& group, std::int64_t piece, bool shared) {
  TestBuffer<T> output(group, piece * group.size(), shared);
  const auto expected = [&](std::int64_t i) {
    return rank_value<T>(static_cast<int>(i / piece), i % piece);
  };
  const std::vector<T> input = rank_values<T>(group.rank(), piece);
  group.all_gather(output.out(), in_of(input)).wait();
  expect_values<T>(output.data(), piece * group.size(), expected, "all_gather");

  TestBuffer<T> in_place(group, piece * group.size(), shared);
  const Out own = in_place.out(piece * group.rank(), piece);
  if (piece > 0) std::memcpy(own.data, input.data(), own.bytes());
  group.all_gather(in_place.out(), own).wait();
  expect_values<T>(in_place.data(), piece * group.size(), expected, "all_gather in place");
}

void all_gather_orders_by_rank(Communicator& world) {
  for_each_dtype([&]<class T>() {
    for (const bool shared : {false, true}) {
      for (const std::int64_t piece : {0, 1, 7, dtype_of<T> == DType::f32 ? 300'007 : 5'003})
        check_all_gather<T>(world, piece, shared);
    }
  });
}

template <class T>
void check_all_to_all(Communicator& group, std::int64_t piece, bool shared) {
  TestBuffer<T> input(group, piece * group.size(), shared);
  input.fill(group.rank());
  std::vector<T> output(static_cast<std::size_t>(piece * group.size()));
  group.all_to_all(out_of(output), input.out()).wait();
  expect_values<T>(
      output.data(), piece * group.size(),
      [&](std::int64_t i) {
        return rank_value<T>(static_cast<int>(i / piece), group.rank() * piece + i % piece);
      },
      "all_to_all");
}

void all_to_all_exchanges_pieces(Communicator& world) {
  for_each_dtype([&]<class T>() {
    for (const bool shared : {false, true}) {
      for (const std::int64_t piece : {0, 1, 7, dtype_of<T> == DType::f32 ? 200'003 : 5'003})
        check_all_to_all<T>(world, piece, shared);
    }
  });
}

template <class T>
void check_broadcast(Communicator& group, std::int64_t numel, bool shared) {
  TestBuffer<T> buffer(group, numel, shared);
  for (int root = 0; root < group.size(); ++root) {
    buffer.fill(group.rank());
    group.broadcast(buffer.out(), root).wait();
    expect_values<T>(
        buffer.data(), numel, [&](std::int64_t i) { return rank_value<T>(root, i); }, "broadcast");
  }
}

void broadcast_copies_from_every_root(Communicator& world) {
  for_each_dtype([&]<class T>() {
    for (const bool shared : {false, true}) {
      for (const std::int64_t numel : {0, 1, 7, dtype_of<T> == DType::f32 ? 400'009 : 5'003})
        check_broadcast<T>(world, numel, shared);
    }
  });
}

void split_groups_order_by_key_and_work(Communicator& world) {
  const int parity = world.rank() % 2;
  const auto group = world.split(parity, -world.rank(), "parity");
  EXPECT_EQ(group->name(), "parity");
  ASSERT_EQ(group->size(), (world.size() + 1 - parity) / 2);
  std::vector<std::int32_t> world_ranks(static_cast<std::size_t>(group->size()));
  const std::vector<std::int32_t> mine = {world.rank()};
  group->all_gather(out_of(world_ranks), in_of(mine)).wait();
  for (std::size_t i = 0; i < world_ranks.size(); ++i) {
    EXPECT_EQ(world_ranks[i] % 2, parity);
    EXPECT_TRUE(i == 0 || world_ranks[i] < world_ranks[i - 1]) << "not ordered by key";
  }
  EXPECT_EQ(world_ranks[static_cast<std::size_t>(group->rank())], world.rank());
  for (const bool shared : {false, true})
    check_all_reduce<float>(*group, 70'001, shared, ReduceOp::sum);
  check_reduce_scatter<BFloat16>(*group, 1'003, true);
}

void groups_split_again_and_work_side_by_side(Communicator& world) {
  const auto half = world.split(world.rank() * 2 / world.size(), world.rank(), "half");
  const auto alone = half->split(half->rank(), 0, "alone");
  const auto again = half->split(0, half->rank(), "again");
  EXPECT_EQ(alone->size(), 1);
  EXPECT_EQ(again->size(), half->size());
  for (Communicator* group : {&world, half.get(), alone.get(), again.get()}) {
    check_all_reduce<double>(*group, 9'001, false, ReduceOp::sum);
    check_all_gather<std::int64_t>(*group, 1'001, true);
  }
}

void fifty_operations_in_flight(Communicator& world) {
  struct InFlight {
    std::vector<float> reduced, gathered;
    std::vector<float> input;
    Work reduce, gather;
  };
  std::vector<InFlight> all(25);
  for (std::size_t k = 0; k < all.size(); ++k) {
    const auto numel = static_cast<std::int64_t>(1 + 311 * k * k);
    all[k].reduced = rank_values<float>(world.rank(), numel);
    all[k].input = all[k].reduced;
    all[k].gathered.resize(static_cast<std::size_t>(numel * world.size()));
    all[k].reduce = world.all_reduce(out_of(all[k].reduced));
    all[k].gather = world.all_gather(out_of(all[k].gathered), in_of(all[k].input));
  }
  for (std::size_t k = all.size(); k-- > 0;) {
    all[k].gather.wait();
    all[k].reduce.wait();
    const auto numel = static_cast<std::int64_t>(all[k].input.size());
    expect_values<float>(
        all[k].reduced.data(), numel,
        [&](std::int64_t i) { return reduced_value<float>(world.size(), i, ReduceOp::sum); },
        "all_reduce in flight");
    expect_values<float>(
        all[k].gathered.data(), numel * world.size(),
        [&](std::int64_t i) { return rank_value<float>(static_cast<int>(i / numel), i % numel); },
        "all_gather in flight");
  }
}

void more_operations_in_flight_than_slots(Communicator& world) {
  std::vector<std::vector<double>> values(300);
  std::vector<Work> works;
  for (std::vector<double>& value : values) {
    value = rank_values<double>(world.rank(), 3);
    works.push_back(world.all_reduce(out_of(value)));
  }
  for (Work& work : works) work.wait();
  for (const std::vector<double>& value : values) {
    expect_values<double>(
        value.data(), 3,
        [&](std::int64_t i) { return reduced_value<double>(world.size(), i, ReduceOp::sum); },
        "one of 300");
  }
}

void groups_may_be_waited_for_in_any_order(Communicator& world) {
  const auto other = world.split(0, world.rank(), "other");
  std::vector<float> a = rank_values<float>(world.rank(), large);
  std::vector<float> b = a;
  Work in_world = world.all_reduce(out_of(a));
  Work in_other = other->all_reduce(out_of(b));
  if (world.rank() % 2 == 0) {
    in_world.wait();
    in_other.wait();
  } else {
    in_other.wait();
    in_world.wait();
  }
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0);
}

void destroyed_work_has_finished(Communicator& world) {
  std::vector<float> values = rank_values<float>(world.rank(), large);
  { const Work work = world.all_reduce(out_of(values)); }
  expect_values<float>(
      values.data(), large,
      [&](std::int64_t i) { return reduced_value<float>(world.size(), i, ReduceOp::sum); },
      "all_reduce without wait()");
}

void messages_travel_round_the_ring(Communicator& world) {
  const int next = (world.rank() + 1) % world.size();
  const int previous = (world.rank() + world.size() - 1) % world.size();
  for (const std::int64_t numel : {std::int64_t{0}, std::int64_t{1}, std::int64_t{7}, large}) {
    const std::vector<float> sent = rank_values<float>(world.rank(), numel);
    std::vector<float> received(static_cast<std::size_t>(numel));
    Work receive = world.recv(out_of(received), previous);
    Work send = world.send(in_of(sent), next);
    receive.wait();
    send.wait();
    expect_values<float>(
        received.data(), numel, [&](std::int64_t i) { return rank_value<float>(previous, i); },
        "ring");
  }
}

void messages_are_matched_by_tag(Communicator& world) {
  const int next = (world.rank() + 1) % world.size();
  const int previous = (world.rank() + world.size() - 1) % world.size();
  const std::vector<std::int32_t> sent = {0, 1, 2, 3, 4, 5};
  std::vector<std::int32_t> received(6, -1);
  std::vector<Work> works;
  for (int i = 0; i < 6; ++i) {  // two messages under each of three tags
    works.push_back(world.send({&sent[static_cast<std::size_t>(i)], DType::i32, {1}}, next, i / 2));
  }
  for (const int tag : {2, 0, 1}) {
    for (int i = 2 * tag; i < 2 * tag + 2; ++i) {
      world.recv({&received[static_cast<std::size_t>(i)], DType::i32, {1}}, previous, tag).wait();
    }
  }
  EXPECT_EQ(received, sent);
}

void barriers_keep_collectives_apart(Communicator& world) {
  TestBuffer<std::int32_t> board(world, world.size(), true);
  for (std::int32_t round = 1; round <= 50; ++round) {
    board.data()[world.rank()] = round;
    world.barrier();
    world.all_gather(board.out(), board.out(world.rank(), 1)).wait();
    for (int rank = 0; rank < world.size(); ++rank) EXPECT_EQ(board.data()[rank], round);
  }
}

void shared_memory_starts_as_zeros(Communicator& world) {
  const Out memory = world.allocate_shared(DType::f64, 10'001);
  EXPECT_EQ(memory.shape, Shape({10'001}));
  expect_values<double>(
      memory.as<double>(), 10'001, [](std::int64_t) { return 0.0; }, "allocate_shared");
}

void wrong_arguments_are_errors_before_anything_moves(Communicator& world) {
  std::vector<float> values(static_cast<std::size_t>(2 * world.size() + 1));
  std::vector<float> two(2);
  std::vector<double> doubles(2);
  EXPECT_THROW(world.reduce_scatter(out_of(two), in_of(values)), Error);
  EXPECT_THROW(world.all_gather(out_of(values), in_of(doubles)), Error);
  EXPECT_THROW(world.broadcast(out_of(values), world.size()), Error);
  EXPECT_THROW(world.send(in_of(values), -1), Error);
  EXPECT_THROW(world.all_reduce({nullptr, DType::f32, {3}}), Error);
  world.barrier();
}

}  // namespace

std::span<const ConformanceCheck> conformance_checks() {
  static const ConformanceCheck checks[] = {
      {"AllReduceAddsInRankOrder", all_reduce_adds_in_rank_order},
      {"AllReduceInSharedMemoryAddsInRankOrder", all_reduce_in_shared_memory_adds_in_rank_order},
      {"AllReduceFindsExtremes", all_reduce_finds_extremes},
      {"AllReduceOfPartOfASharedBufferLeavesTheRest",
       all_reduce_of_part_of_a_shared_buffer_leaves_the_rest},
      {"ExtremesKeepNan", extremes_keep_nan},
      {"ReduceScatterGivesEachRankItsPiece", reduce_scatter_gives_each_rank_its_piece},
      {"AllGatherOrdersByRank", all_gather_orders_by_rank},
      {"AllToAllExchangesPieces", all_to_all_exchanges_pieces},
      {"BroadcastCopiesFromEveryRoot", broadcast_copies_from_every_root},
      {"SplitGroupsOrderByKeyAndWork", split_groups_order_by_key_and_work},
      {"GroupsSplitAgainAndWorkSideBySide", groups_split_again_and_work_side_by_side},
      {"FiftyOperationsInFlight", fifty_operations_in_flight},
      {"MoreOperationsInFlightThanSlots", more_operations_in_flight_than_slots},
      {"GroupsMayBeWaitedForInAnyOrder", groups_may_be_waited_for_in_any_order},
      {"DestroyedWorkHasFinished", destroyed_work_has_finished},
      {"MessagesTravelRoundTheRing", messages_travel_round_the_ring},
      {"MessagesAreMatchedByTag", messages_are_matched_by_tag},
      {"BarriersKeepCollectivesApart", barriers_keep_collectives_apart},
      {"SharedMemoryStartsAsZeros", shared_memory_starts_as_zeros},
      {"WrongArgumentsAreErrorsBeforeAnythingMoves",
       wrong_arguments_are_errors_before_anything_moves},
  };
  return checks;
}

}  // namespace boostr::testing
