#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

#include "kernels/runtime/error.h"
#include "trainer/data/permutation.h"

namespace boostr {
namespace {

std::vector<std::int64_t> all_of(const Permutation& permutation) {
  std::vector<std::int64_t> images;
  for (std::int64_t i = 0; i < permutation.size(); ++i) images.push_back(permutation(i));
  return images;
}

bool is_bijection(const Permutation& permutation) {
  std::vector<bool> hit(static_cast<std::size_t>(permutation.size()), false);
  for (const std::int64_t image : all_of(permutation)) {
    if (image < 0 || image >= permutation.size() || hit[image]) return false;
    hit[image] = true;
  }
  return true;
}

/// Chi-squared of `counts` against equal expectations.
double chi_squared(const std::vector<int>& counts, double expected) {
  double sum = 0;
  for (const int count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

TEST(Permutation, IsABijectionForEverySmallSize) {
  for (std::int64_t size = 1; size <= 600; ++size) {
    EXPECT_TRUE(is_bijection(Permutation(size, 7))) << size;
  }
}

TEST(Permutation, IsABijectionAroundPowersOfTwo) {
  for (const std::int64_t power : {1 << 12, 1 << 14, 1 << 17}) {
    for (const std::int64_t size : {power - 1, power, power + 1}) {
      EXPECT_TRUE(is_bijection(Permutation(size, 99))) << size;
    }
  }
}

TEST(Permutation, ReachesEveryOrderOfFiveEquallyOften) {
  std::map<std::vector<std::int64_t>, int> times;
  constexpr int keys = 24000;
  for (int key = 0; key < keys; ++key) ++times[all_of(Permutation(5, mix_key(1, key)))];
  std::vector<int> counts;
  for (const auto& [order, count] : times) counts.push_back(count);
  ASSERT_EQ(counts.size(), 120u);
  EXPECT_LT(chi_squared(counts, keys / 120.0), 180);  // 119 degrees of freedom, p = 0.0003
}

TEST(Permutation, SendsEveryPositionEverywhereEquallyOften) {
  constexpr int size = 37, keys = 7400;
  for (const std::int64_t position : {0, 1, 17, 36}) {
    std::vector<int> counts(size, 0);
    for (int key = 0; key < keys; ++key) ++counts[Permutation(size, mix_key(2, key))(position)];
    EXPECT_LT(chi_squared(counts, keys / double(size)), 75) << position;  // 36 degrees of freedom
  }
}

TEST(Permutation, NeighboursAreUncorrelated) {
  constexpr std::int64_t size = 100000;
  const Permutation permutation(size, 5);
  double sum = 0;
  for (std::int64_t i = 0; i + 1 < size; ++i) {
    sum += (permutation(i) / double(size) - 0.5) * (permutation(i + 1) / double(size) - 0.5);
  }
  EXPECT_LT(std::abs(sum / size * 12), 0.02);
}

TEST(Permutation, KeysGiveUnrelatedOrders) {
  constexpr std::int64_t size = 10000;
  const Permutation first(size, mix_key(1, 0)), second(size, mix_key(1, 1));
  int equal = 0;
  for (std::int64_t i = 0; i < size; ++i) equal += first(i) == second(i);
  EXPECT_LT(equal, 10);
}

TEST(Permutation, OfHugeSizesStaysInside) {
  const std::int64_t size = (std::int64_t{1} << 61) + 12345;
  const Permutation permutation(size, 3);
  for (const std::int64_t i : {std::int64_t{0}, std::int64_t{1}, size / 2, size - 1}) {
    EXPECT_GE(permutation(i), 0);
    EXPECT_LT(permutation(i), size);
  }
}

// A checkpoint is continued by later versions: this order is part of its format.
TEST(Permutation, NeverChangesItsOrder) {
  EXPECT_EQ(all_of(Permutation(8, 1234)), (std::vector<std::int64_t>{5, 6, 0, 2, 1, 7, 3, 4}));
}

TEST(Permutation, RejectsPositionsOutside) {
  EXPECT_THROW(Permutation(3, 0)(3), Error);
  EXPECT_THROW(Permutation(3, 0)(-1), Error);
  EXPECT_THROW(Permutation(0, 0), Error);
}

}  // namespace
}  // namespace boostr
