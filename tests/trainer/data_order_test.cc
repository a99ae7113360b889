#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <vector>

#include "tests/trainer/data_files.h"
#include "trainer/data/data_cursor.h"
#include "trainer/data/mixture.h"
#include "trainer/data/sample_order.h"

namespace boostr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<double> normalised(std::vector<double> weights) {
  double total = 0;
  for (const double weight : weights) total += weight;
  for (double& weight : weights) weight /= total;
  return weights;
}

/// The largest distance of any source from its share over `steps` draws.
double worst_distance(const std::vector<double>& shares, int steps) {
  std::vector<std::int64_t> drawn(shares.size(), 0);
  double worst = 0;
  for (int n = 1; n <= steps; ++n) {
    ++drawn[choose_source(shares, drawn)];
    for (std::size_t i = 0; i < shares.size(); ++i) {
      worst = std::max(worst, std::abs(double(drawn[i]) - shares[i] * n));
    }
  }
  return worst;
}

TEST(Mixture, KeepsEverySourceWithinOneSampleOfItsShare) {
  std::mt19937 random(11);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<double> weights(2 + trial % 9);
    for (double& weight : weights) weight = std::pow(uniform(random), 3) + 1e-4;
    EXPECT_LT(worst_distance(normalised(weights), 2000), 1.0) << trial;
  }
}

TEST(Mixture, KeepsTheBoundForOneLargeAndManySmallSources) {
  std::vector<double> weights(30, 1.0);
  weights[7] = 1000;
  EXPECT_LT(worst_distance(normalised(weights), 5000), 1.0);
}

TEST(Mixture, AlternatesBetweenEqualSources) {
  const std::vector<double> shares = {0.5, 0.5};
  std::vector<std::int64_t> drawn = {0, 0};
  for (int pair = 1; pair <= 50; ++pair) {
    ++drawn[choose_source(shares, drawn)];
    ++drawn[choose_source(shares, drawn)];
    EXPECT_THAT(drawn, ElementsAre(pair, pair));
  }
}

TEST(Mixture, NeverDrawsASourceOfWeightZero) {
  const std::vector<double> shares = {0.0, 0.25, 0.75};
  std::vector<std::int64_t> drawn = {0, 0, 0};
  for (int n = 0; n < 100; ++n) ++drawn[choose_source(shares, drawn)];
  EXPECT_THAT(drawn, ElementsAre(0, 25, 75));
}

const std::vector<SourceShare> two_sources = {{"text: a", 3, 10}, {"text: b", 1, 7}};

TEST(SampleOrder, ShowsEverySampleOncePerEpoch) {
  SampleOrder order(start_cursor({{"text: a", 1, 50}}, 1));
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::set<std::int64_t> seen;
    for (const SampleId& id : order.next(50)) seen.insert(id.sample);
    EXPECT_EQ(seen.size(), 50u) << epoch;
    EXPECT_EQ(*seen.rbegin(), 49) << epoch;
  }
}

TEST(SampleOrder, PermutesEveryEpochSourceAndSeedAnew) {
  const auto first_epochs = [](std::uint64_t seed) {
    SampleOrder order(start_cursor({{"a", 1, 40}}, seed));
    return std::pair(order.next(40), order.next(40));
  };
  const auto [first, second] = first_epochs(1);
  EXPECT_NE(first, second);
  EXPECT_NE(first, first_epochs(2).first);

  SampleOrder mixed(start_cursor({{"a", 1, 40}, {"b", 1, 40}}, 1));
  std::vector<std::int64_t> of_source[2];
  for (const SampleId& id : mixed.next(80)) of_source[id.source].push_back(id.sample);
  EXPECT_NE(of_source[0], of_source[1]);
}

TEST(SampleOrder, ContinuesExactlyFromASavedCursor) {
  SampleOrder uninterrupted(start_cursor(two_sources, 5));
  const auto whole = uninterrupted.next(300);
  for (const int stop : {1, 17, 100, 299}) {
    SampleOrder before(start_cursor(two_sources, 5));
    before.next(stop);
    const auto saved = data_cursor_from_json(to_json(before.cursor()));
    const ResumedCursor resumed = resume_cursor(saved, two_sources, 5);
    EXPECT_THAT(resumed.changes, IsEmpty());
    SampleOrder after(resumed.cursor);
    EXPECT_EQ(after.next(300 - stop), std::vector(whole.begin() + stop, whole.end())) << stop;
  }
}

TEST(SampleOrder, CountsChangedWeightsFromTheResumeOn) {
  SampleOrder before(start_cursor(two_sources, 5));
  before.next(400);  // 300 of a, 100 of b
  auto sources = two_sources;
  sources[0].weight = 1;
  const ResumedCursor resumed = resume_cursor(before.cursor(), sources, 5);
  EXPECT_THAT(resumed.changes, ElementsAre("weight of data source 'text: a': 3 -> 1"));
  SampleOrder after(resumed.cursor);
  int of_b = 0;
  for (const SampleId& id : after.next(20)) of_b += id.source;
  EXPECT_EQ(of_b, 10);
  EXPECT_EQ(after.cursor().consumed, 420);
  EXPECT_EQ(after.cursor().sources[1].consumed, 110);
}

TEST(SampleOrder, ChangedWeightsDoNotRepeatOrSkipSamples) {
  SampleOrder before(start_cursor(two_sources, 5));
  std::multiset<std::int64_t> of_a;
  const auto count_a = [&](const std::vector<SampleId>& ids) {
    for (const SampleId& id : ids) {
      if (id.source == 0) of_a.insert(id.sample);
    }
  };
  count_a(before.next(8));
  auto sources = two_sources;
  sources[1].weight = 3;
  SampleOrder after(resume_cursor(before.cursor(), sources, 5).cursor);
  while (of_a.size() < 10) count_a(after.next(1));
  EXPECT_EQ(std::set(of_a.begin(), of_a.end()).size(), 10u);
}

TEST(SampleOrder, ScaledWeightsChangeNothing) {
  SampleOrder before(start_cursor(two_sources, 5));
  before.next(5);
  auto sources = two_sources;
  for (SourceShare& source : sources) source.weight *= 2;
  const ResumedCursor resumed = resume_cursor(before.cursor(), sources, 5);
  EXPECT_EQ(SampleOrder(resumed.cursor).next(50), before.next(50));
}

TEST(SampleOrder, StartsANewEpochWhereTheDataChanged) {
  SampleOrder before(start_cursor(two_sources, 5));
  before.next(400);
  auto sources = two_sources;
  sources[0].samples = 12;
  const ResumedCursor resumed = resume_cursor(before.cursor(), sources, 5);
  EXPECT_EQ(resumed.cursor.sources[0].consumed, 30 * 12);
  EXPECT_EQ(resumed.cursor.sources[1].consumed, 100);
  ASSERT_EQ(resumed.changes.size(), 1u);
  EXPECT_THAT(resumed.changes[0], HasSubstr("had 10 training samples and has 12"));
}

TEST(SampleOrder, FollowsSourcesByNameWhenTheListChanges) {
  SampleOrder before(start_cursor(two_sources, 5));
  before.next(400);
  const std::vector<SourceShare> sources = {
      {"text: b", 1, 7}, {"text: c", 1, 9}, {"text: d", 1, 9}};
  const ResumedCursor resumed = resume_cursor(before.cursor(), sources, 5);
  EXPECT_EQ(resumed.cursor.sources[0].consumed, 105);  // 100 drawn: the sixteenth epoch begins
  EXPECT_EQ(resumed.cursor.sources[1].consumed, 0);
  EXPECT_THAT(resumed.changes,
              ElementsAre("data source 'text: c' is new", "data source 'text: d' is new",
                          "data source 'text: a' is gone"));
}

TEST(SampleOrder, RefusesWeightsWithoutSense) {
  EXPECT_THAT(error_of(
                  [] {
                    start_cursor({{"text: a", -1, 5}}, 0);
                  },
                  ExitCode::usage),
              HasSubstr("weight is -1"));
  EXPECT_THAT(error_of(
                  [] {
                    SampleOrder(start_cursor({{"a", 0, 5}}, 0));
                  },
                  ExitCode::usage),
              HasSubstr("at least one must be positive"));
}

TEST(DataCursor, KeepsEveryBitInJson) {
  const DataCursor cursor{
      ~std::uint64_t{0},
      std::int64_t{1} << 60,
      {{"text: \"a\"\n", 0.1, 3, std::int64_t{1} << 59, 12}, {"b", 1e-300, 1, 0, 0}}};
  EXPECT_EQ(data_cursor_from_json(to_json(cursor)), cursor);
}

TEST(DataCursor, RefusesDamagedJson) {
  const std::string good = to_json(start_cursor(two_sources, 5));
  for (std::size_t length = 0; length < good.size(); ++length) {
    error_of([&] { data_cursor_from_json(good.substr(0, length)); }, ExitCode::checkpoint);
  }
  for (
      const std::string bad :
      {"[]", "{}", R"({"seed": -1, "consumed": 0, "sources": []})",
       R"({"seed": 1, "consumed": 0.5, "sources": []})",
       R"({"seed": 1, "consumed": 9223372036854775808, "sources": []})",
       R"({"seed": 1, "consumed": 0, "sources": [1]})",
       R"({"seed": 1, "consumed": 0, "sources": [{"name": "a", "weight": 1, "samples": 0, "consumed": 0, "rebased": 0}]})",
       R"({"seed": 1, "consumed": 0, "sources": [{"name": "a", "weight": 1, "samples": 1, "consumed": 0, "rebased": 1}]})"}) {
    error_of([&] { data_cursor_from_json(bad); }, ExitCode::checkpoint);
  }
}

}  // namespace
}  // namespace boostr
