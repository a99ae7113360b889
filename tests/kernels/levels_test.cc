#include "tests/testing/levels.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace boostr::testing {
namespace {

TEST(Levels, AreDistinctTablesAndIncludeThoseForTests) {
  std::vector<std::string> names;
  for_each_level([&](const KernelTable& kernels) { names.emplace_back(kernels.level); });
  EXPECT_GE(names.size(), 3u);
  EXPECT_TRUE(std::ranges::count(names, "wide"));
  EXPECT_TRUE(std::ranges::count(names, "wide_amx"));
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
}

TEST(TestTensor, RoundsToItsTypeAndReadsBack) {
  EXPECT_EQ(TestTensor::filled(DType::f64, {2, 3}, 0.1).at(5), 0.1);
  EXPECT_EQ(TestTensor::filled(DType::f32, {2, 3}, 0.1).at(5), double(0.1f));
  EXPECT_EQ(TestTensor::filled(DType::bf16, {2}, 0.1).at(1), double(float(BFloat16(0.1f))));
  EXPECT_EQ(TestTensor::filled(DType::i32, {2}, -7.0).at(1), -7.0);
  EXPECT_FALSE(TestTensor().in());
}

TEST(TestTensor, NoticesWritesOutside) {
  EXPECT_NONFATAL_FAILURE(
      {
        TestTensor tensor(DType::f32, {3});
        static_cast<float*>(tensor.out().data)[3] = 0;
      },
      "wrote outside");
}

TEST(ExpectClose, FailsOnNanAndOnErrorsPastTheTolerance) {
  static const std::vector<double> expected{1.0, 2.0};
  EXPECT_NONFATAL_FAILURE(expect_close(TestTensor(DType::f32, {2}), expected), "element 0");
  EXPECT_NONFATAL_FAILURE(
      expect_close(TestTensor::of(DType::f64, {2}, std::vector{1.0, 2.1}), expected), "element 1");
  expect_close(TestTensor::of(DType::f64, {2}, std::vector{1.0, 2.0 + 1e-13}), expected);
}

}  // namespace
}  // namespace boostr::testing
