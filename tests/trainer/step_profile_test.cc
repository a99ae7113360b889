#include "trainer/profile/step_profile.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "trainer/profile/chrome_trace.h"

namespace boostr {
namespace {

using Kind = TimelineEvent::Kind;

TimelineEvent event(Kind kind, std::string_view name, std::int64_t begin, std::int64_t end) {
  TimelineEvent made{.kind = kind, .name = name, .begin = begin, .end = end};
  made.dtype = DType::f32;
  return made;
}

/// Two steps of 1 ms: a product of 0.4 ms, a copy of 0.1, a sum over ranks of 0.2, data of 0.1, and
/// 0.2 of nothing.
std::vector<TimelineEvent> two_steps() {
  std::vector<TimelineEvent> events;
  for (const std::int64_t start : {0, 2'000'000}) {
    const auto add = [&](Kind kind, std::string_view name, std::int64_t begin, std::int64_t end) {
      events.push_back(event(kind, name, start + begin, start + end));
    };
    add(Kind::data, "next batch", 0, 100'000);
    add(Kind::kernel, "cast", 100'000, 200'000);
    events.back().bytes = 1e6;
    add(Kind::kernel, "gemm", 200'000, 600'000);
    events.back().flops = 8e6;
    events.back().bytes = 1e6;
    events.back().add_shape({4, 8});
    events.back().add_shape({4, start == 0 ? 1 : 2});
    add(Kind::communication, "all_reduce", 700'000, 900'000);
    add(Kind::step, "step", 0, 1'000'000);
  }
  return events;
}

TEST(StepProfile, AddsUpToTheSteps) {
  const StepProfile profile = summarize(two_steps(), false);
  EXPECT_EQ(profile.steps, 2);
  EXPECT_DOUBLE_EQ(profile.seconds, 2e-3);
  ASSERT_EQ(profile.rows.size(), 4U);
  EXPECT_EQ(profile.rows[0].name, "gemm");
  EXPECT_EQ(profile.rows[0].calls, 2);
  EXPECT_DOUBLE_EQ(profile.rows[0].seconds, 0.8e-3);
  EXPECT_DOUBLE_EQ(profile.rows[0].flops, 16e6);
  EXPECT_EQ(profile.rows[1].name, "cast");
  EXPECT_EQ(profile.rows[2].name, "all_reduce");
  EXPECT_EQ(profile.rows[3].name, "next batch");
  double sum = profile.other_seconds();
  EXPECT_NEAR(sum, 0.4e-3, 1e-12);
  for (const ProfileRow& row : profile.rows) sum += row.seconds;
  EXPECT_DOUBLE_EQ(sum, profile.seconds);
}

TEST(StepProfile, TellsShapesApartWhenAsked) {
  const StepProfile profile = summarize(two_steps(), true);
  ASSERT_EQ(profile.rows.size(), 5U);
  EXPECT_EQ(profile.rows[0].shapes, "[4, 8] [4, 1]");
  EXPECT_EQ(profile.rows[1].shapes, "[4, 8] [4, 2]");
  EXPECT_EQ(profile.rows[1].calls, 1);
}

TEST(StepProfile, MeasuresAgainstTheLimitThatBinds) {
  const MachinePeaks peaks{.flops = {{DType::f32, 40e9}}, .bandwidth = 20e9};
  const StepProfile profile = summarize(two_steps(), false);
  const RowLimit gemm = limit_of(profile.rows[0], peaks);
  EXPECT_TRUE(gemm.compute_bound);
  EXPECT_DOUBLE_EQ(gemm.fraction, 0.5);  // 20 of 40 GFLOP/s
  const RowLimit cast = limit_of(profile.rows[1], peaks);
  EXPECT_FALSE(cast.compute_bound);
  EXPECT_DOUBLE_EQ(cast.fraction, 0.5);  // 10 of 20 GB/s
  EXPECT_EQ(limit_of(profile.rows[2], peaks).fraction, 0);
  // A product whose operands take longer to read than to multiply.
  const MachinePeaks slow_memory{.flops = {{DType::f32, 40e9}}, .bandwidth = 2.5e9};
  EXPECT_FALSE(limit_of(profile.rows[0], slow_memory).compute_bound);
  EXPECT_DOUBLE_EQ(limit_of(profile.rows[0], slow_memory).fraction, 1.0);
}

TEST(StepProfile, PrintsMeansPerStep) {
  const MachinePeaks peaks{.flops = {{DType::f32, 40e9}}, .bandwidth = 20e9};
  EXPECT_EQ(
      profile_table(summarize(two_steps(), false), peaks),
      R"(kernel                     type  calls     ms    share  GFLOP  GFLOP/s     GB  GB/s        of peak
gemm                       f32       1  0.400   40.0 %  0.008     20.0  0.001   2.5  50.0 % FMA
cast                       f32       1  0.100   10.0 %                  0.001  10.0  50.0 % memory
communication: all_reduce            1  0.200   20.0 %
data: next batch                     1  0.100   10.0 %
everything else                         0.200   20.0 %
step                                    1.000  100.0 %  0.008      8.0  0.002   2.0
)");
}

TEST(ChromeTrace, KeepsNanosecondsAndNamesRanks) {
  const std::vector<TimelineEvent> events = two_steps();
  const auto trace =
      nlohmann::json::parse(chrome_trace({trace_events(events, 0), trace_events({}, 1)}));
  std::vector<std::string> processes;
  std::vector<nlohmann::json> complete;
  for (const auto& event : trace.at("traceEvents")) {
    if (event.at("name") == "process_name") processes.push_back(event.at("args").at("name"));
    if (event.at("ph") == "X") complete.push_back(event);
  }
  EXPECT_EQ(processes, (std::vector<std::string>{"rank 0", "rank 1"}));
  ASSERT_EQ(complete.size(), events.size());
  const auto odd = event(Kind::kernel, "cast", 1'234'567, 2'345'679);
  const auto members = nlohmann::json::parse(chrome_trace({trace_events({odd}, 0)}));
  EXPECT_EQ(members.at("traceEvents").back().at("ts"), 1234.567);
  EXPECT_EQ(members.at("traceEvents").back().at("dur"), 1111.112);
  const auto& gemm = complete[2];
  EXPECT_EQ(gemm.at("name"), "gemm");
  EXPECT_EQ(gemm.at("cat"), "kernel");
  EXPECT_EQ(gemm.at("args"),
            nlohmann::json::parse(R"({"dtype": "f32", "shapes": ["[4, 8]", "[4, 1]"],
    "flops": 8000000, "bytes": 1000000})"));
}

TEST(ChromeTrace, HasATrackOfThePipelinesPasses) {
  const TimedPass first{{PassKind::forward, 3, 1}, 0.25, 0.375};
  const TimedPass second{{PassKind::forward, 3, 1}, 0.5, 0.75};
  const PassTrack track{.steps = {{first, second}, {second}}, .chunks = 2};
  const auto trace = nlohmann::json::parse(chrome_trace({trace_events({}, 1, track)}));
  const auto& events = trace.at("traceEvents");
  ASSERT_EQ(events.size(), 3U + 1 + 4) << "names, then events";
  EXPECT_EQ(events[5],
            nlohmann::json::parse(R"({"name": "idle", "cat": "idle", "ph": "X", "ts": 375000.0,
    "dur": 125000.0, "pid": 2, "tid": 2, "args": {}})"))
      << "between passes of a step, not between steps";
  EXPECT_EQ(events.back(),
            nlohmann::json::parse(R"({"name": "F3.1", "cat": "pass", "ph": "X", "ts": 500000.0,
    "dur": 250000.0, "pid": 2, "tid": 2, "args": {"microbatch": 3, "chunk": 1}})"));
}

}  // namespace
}  // namespace boostr
