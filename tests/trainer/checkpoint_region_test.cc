#include <gtest/gtest.h>

#include <random>

#include "tests/trainer/checkpoint_fixture.h"
#include "trainer/checkpoint/tensor_region.h"

namespace boostr::test {
namespace {

TensorRegion random_region(const Shape& shape, std::mt19937& random) {
  const auto part = [&](std::int64_t size) {
    const std::int64_t begin = std::uniform_int_distribution<std::int64_t>(0, size)(random);
    return std::pair{begin, std::uniform_int_distribution<std::int64_t>(0, size - begin)(random)};
  };
  if (random() % 2 == 0) {
    const auto [begin, count] = part(shape.numel());
    return {shape, {begin}, Shape{count}};
  }
  std::vector<std::int64_t> offset, dims;
  for (const std::int64_t size : shape.dims()) {
    const auto [begin, count] = part(size);
    offset.push_back(begin);
    dims.push_back(count);
  }
  return {shape, offset, Shape(std::span<const std::int64_t>(dims))};
}

/// For each element of the flattened tensor: its index in the region, or -1.
std::vector<std::int64_t> places(const TensorRegion& region) {
  std::vector<std::int64_t> place(static_cast<std::size_t>(region.global_shape.numel()), -1);
  for (std::int64_t i = 0; i < region.shape.numel(); ++i)
    place[static_cast<std::size_t>(flat_index(region, i))] = i;
  return place;
}

TEST(TensorRegion, OverlapsAreThoseOfElementByElementComparison) {
  std::mt19937 random(1);
  const std::vector<Shape> shapes = {{7}, {5, 4}, {3, 1, 6}, {2, 3, 4, 2}};
  for (int trial = 0; trial < 2000; ++trial) {
    const Shape& shape = shapes[static_cast<std::size_t>(trial) % shapes.size()];
    const TensorRegion a = random_region(shape, random), b = random_region(shape, random);
    const auto in_a = places(a), in_b = places(b);
    std::vector<std::int64_t> found(in_a.size(), -1), expected(in_a.size(), -1);
    for_each_overlap(a, b, [&](std::int64_t from, std::int64_t to, std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i) {
        std::int64_t& place = found[static_cast<std::size_t>(flat_index(a, from + i))];
        EXPECT_EQ(place, -1) << "an element came twice";
        place = to + i;
      }
    });
    for (std::size_t i = 0; i < in_a.size(); ++i) expected[i] = in_a[i] >= 0 ? in_b[i] : -1;
    ASSERT_EQ(found, expected) << "trial " << trial << ": " << a.shape << " and " << b.shape
                               << " of " << shape;
    const bool shared = std::ranges::any_of(expected, [](std::int64_t i) { return i >= 0; });
    ASSERT_EQ(overlap(a, b), shared) << "trial " << trial;
  }
}

TEST(TensorRegion, RegionReadBackWholeIsOneRun) {
  const TensorRegion columns{{100, 8}, {0, 2}, {100, 3}};
  int runs = 0;
  for_each_overlap(columns, columns, [&](std::int64_t, std::int64_t, std::int64_t) { ++runs; });
  EXPECT_EQ(runs, 1);
}

TEST(TensorRegion, PartsOutsideTheTensorAreFaults) {
  EXPECT_EQ(region_fault({{4, 5}, {1, 0}, {3, 5}}), "");
  EXPECT_EQ(region_fault({{4, 5}, {19}, {1}}), "");
  EXPECT_EQ(region_fault({{}, {}, {}}), "");
  EXPECT_NE(region_fault({{4, 5}, {2, 0}, {3, 5}}), "");
  EXPECT_NE(region_fault({{4, 5}, {-1, 0}, {3, 5}}), "");
  EXPECT_NE(region_fault({{4, 5}, {20}, {1}}), "");
  EXPECT_NE(region_fault({{4, 5}, {0}, {2, 2}}), "");
  EXPECT_NE(region_fault({{4, 5, 6}, {0, 0}, {2, 2}}), "");
  EXPECT_NE(region_fault({{4, -5}, {0, 0}, {1, 1}}), "");
  EXPECT_NE(region_fault({{std::int64_t{1} << 40, std::int64_t{1} << 40}, {0, 0}, {1, 1}}), "")
      << "the size wraps";
  EXPECT_NE(region_fault({{4}, {INT64_MAX}, {INT64_MAX}}), "") << "offset + size wraps";
}

struct Dealt {
  std::int64_t most = 0, least = INT64_MAX;  // bytes per rank
  std::int64_t missing = 0;                  // elements that no rank has, or that two have
};

Dealt deal(const std::vector<CheckpointTensor>& tensors, int ranks) {
  Dealt dealt;
  std::vector<std::vector<int>> owners;
  for (const CheckpointTensor& tensor : tensors)
    owners.emplace_back(static_cast<std::size_t>(tensor.global_shape.numel()), 0);
  for (int rank = 0; rank < ranks; ++rank) {
    std::int64_t bytes = 0;
    for (const CheckpointTensor& part : deal_out(tensors, rank, ranks)) {
      bytes += static_cast<std::int64_t>(In(part.local).bytes());
      const auto of = std::ranges::find_if(
          tensors, [&](const auto& t) { return t.group == part.group && t.name == part.name; });
      auto& owned = owners[static_cast<std::size_t>(of - tensors.begin())];
      EXPECT_EQ(region_fault(part.region()), "");
      for (std::int64_t i = 0; i < part.local.shape.numel(); ++i)
        ++owned[static_cast<std::size_t>(flat_index(part.region(), i))];
    }
    dealt.most = std::max(dealt.most, bytes);
    dealt.least = std::min(dealt.least, bytes);
  }
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    for (std::int64_t i = 0; i < tensors[t].local.shape.numel(); ++i) {
      dealt.missing += owners[t][static_cast<std::size_t>(flat_index(tensors[t].region(), i))] != 1;
    }
  }
  return dealt;
}

TEST(DealOut, EveryElementGoesToOneRankAndBytesAreBalanced) {
  const Held model = whole(small_model());
  for (const int ranks : {1, 2, 3, 7}) {
    const Dealt dealt = deal(model.tensors(), ranks);
    EXPECT_EQ(dealt.missing, 0) << ranks << " ranks";
    EXPECT_LE(dealt.most - dealt.least, 2 * 8192) << ranks << " ranks";
  }
}

TEST(DealOut, PartsOfTensorsAreCutBetweenRows) {
  Held half;  // a column shard: cannot be written as one slice of the flattened tensor
  half.add({"parameters", "w", {3000, 8}}, {0, 4}, {3000, 4});
  for (const int ranks : {2, 3}) {
    const Dealt dealt = deal(half.tensors(), ranks);
    EXPECT_EQ(dealt.missing, 0) << ranks << " ranks";
    EXPECT_LE(dealt.most - dealt.least, 16) << ranks << " ranks";
  }
}

TEST(DealOut, MoreRanksThanTensorsLeavesSomeWithNothing) {
  Held tiny;
  tiny.add_whole({"parameters", "w", {3}});
  EXPECT_EQ(deal(tiny.tensors(), 5).missing, 0);
}

}  // namespace
}  // namespace boostr::test
