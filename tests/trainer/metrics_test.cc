#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "parallel/comm/threads.h"
#include "trainer/metrics/console.h"
#include "trainer/metrics/loss_picture.h"
#include "trainer/metrics/metrics_log.h"
#include "trainer/metrics/rank_times.h"
#include "trainer/metrics/tensorboard.h"
#include "trainer/metrics/throughput.h"

namespace boostr {
namespace {

namespace fs = std::filesystem;

class Metrics : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/boostr-metrics-XXXXXX";
    folder_ = mkdtemp(pattern);
  }
  void TearDown() override { fs::remove_all(folder_); }

  static std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream all;
    all << file.rdbuf();
    return all.str();
  }
  std::string log_path() const { return (folder_ / "metrics.jsonl").string(); }
  static MetricsRow row(std::int64_t step) {
    MetricsRow r;
    r.step = step;
    r.loss = 1.0 / 3.0 + static_cast<double>(step);
    r.time = 1e9;
    return r;
  }

  fs::path folder_;
};

TEST_F(Metrics, NumbersKeepAllTheirDigits) {
  for (const double value : {1.0 / 3, 5.5803123456789012, 1e-300, 0.1})
    EXPECT_EQ(std::stod(json_number(value)), value);
  EXPECT_EQ(json_number(std::numeric_limits<double>::quiet_NaN()), "null");
  EXPECT_EQ(json_number(std::numeric_limits<double>::infinity()), "null");
}

TEST_F(Metrics, AFreshLogReplacesWhatWasThere) {
  MetricsLog(log_path(), std::nullopt).write(row(1));
  MetricsLog(log_path(), std::nullopt).write(row(2));
  EXPECT_EQ(contents(log_path()).find("\"step\": 1,"), std::string::npos);
  EXPECT_NE(contents(log_path()).find("\"step\": 2,"), std::string::npos);
}

TEST_F(Metrics, AResumedLogKeepsNoStepTwiceAndNoHalfLine) {
  {
    MetricsLog log(log_path(), std::nullopt);
    for (std::int64_t step = 1; step <= 5; ++step) log.write(row(step));
    log.write(ValidationRow{5, 2.0, 7.4, 100, 1e9});
  }
  std::ofstream(log_path(), std::ios::app) << R"({"step": 6, "lo)";
  MetricsLog log(log_path(), 3);
  EXPECT_EQ(log.history().rows.size(), 3u);
  EXPECT_TRUE(log.history().validations.empty());
  EXPECT_EQ(log.history().rows.back().loss, row(3).loss);
  log.write(row(4));
  std::istringstream lines(contents(log_path()));
  std::int64_t expected = 1;
  for (std::string line; std::getline(lines, line); ++expected)
    EXPECT_TRUE(line.starts_with("{\"step\": " + std::to_string(expected) + ",")) << line;
  EXPECT_EQ(expected, 5);
}

TEST_F(Metrics, EventsCarryTheirNameAndStep) {
  MetricsLog log(log_path(), std::nullopt);
  log.write_event("start", 0, R"({"ranks": 2})");
  log.write_event("stopped", 7, "{}");
  EXPECT_EQ(
      contents(log_path()),
      "{\"event\": \"start\", \"step\": 0, \"ranks\": 2}\n{\"event\": \"stopped\", \"step\": 7}\n");
}

TEST_F(Metrics, Crc32cHasTheKnownValue) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
}

TEST_F(Metrics, TensorBoardRecordsAreWellFormedAndReplaceOlderFiles) {
  MetricsHistory history;
  history.rows.push_back(row(1));
  { TensorBoardWriter first(folder_ / "tb", history); }
  {
    TensorBoardWriter writer(folder_ / "tb", history);
    writer.write(row(2));
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder_ / "tb")) files.push_back(entry.path());
  ASSERT_EQ(files.size(), 1u);
  const std::string bytes = contents(files[0]);
  const auto masked = [](const std::string& data) {
    const std::uint32_t crc = crc32c(data);
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
  };
  int records = 0;
  for (std::size_t at = 0; at < bytes.size(); ++records) {
    ASSERT_LE(at + 12, bytes.size());
    std::uint64_t length;
    std::uint32_t crc;
    std::memcpy(&length, &bytes[at], 8);
    std::memcpy(&crc, &bytes[at + 8], 4);
    EXPECT_EQ(crc, masked(bytes.substr(at, 8)));
    ASSERT_LE(at + 16 + length, bytes.size());
    std::memcpy(&crc, &bytes[at + 12 + length], 4);
    EXPECT_EQ(crc, masked(bytes.substr(at + 12, length)));
    at += 16 + length;
  }
  EXPECT_EQ(records, 1 + 2 * 9) << "the version, and nine scalars for each row";
}

TEST(RankTimesOfAll, TellBubblesFromCommunicationAndWhoIsSlowest) {
  run_ranks(3, [](Communicator& world) {
    // Of ten seconds rank r is 1 + r in passes and 4 waits for them; it is held up for 2 more.
    const double work = 1 + world.rank();
    const TimesOfRanks times = gather_times(world, {.wall = 10,
                                                    .held_up = 6,
                                                    .pipeline_span = 5,
                                                    .pipeline_work = work,
                                                    .pipeline_idle = 4.0 + world.rank()});
    EXPECT_DOUBLE_EQ(times.bubble_rate, (5.0 - 3.0) / 5.0);
    EXPECT_DOUBLE_EQ(times.exposed_communication, (2.0 + 1.0 + 0.0) / 30.0);
    EXPECT_EQ(times.busy, (std::vector<double>{4, 4, 4}));
    EXPECT_EQ(times.slowest(), 0);
  });
}

TEST_F(Metrics, ThePictureHoldsEveryPointOfTheCurve) {
  MetricsHistory history;
  for (std::int64_t step = 10; step <= 50; step += 10) history.rows.push_back(row(step));
  history.validations.push_back({50, 3.0, 20, 100, 0});
  const std::string svg = loss_svg(history, "a <run> & more", 3.53);
  EXPECT_TRUE(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
  EXPECT_NE(svg.find("a &lt;run&gt; &amp; more"), std::string::npos);
  EXPECT_NE(svg.find("unigram entropy 3.53"), std::string::npos);
  const std::size_t begin = svg.find("<polyline"), end = svg.find("/>", begin);
  EXPECT_EQ(std::count(svg.begin() + begin, svg.begin() + end, ','), 5);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST_F(Metrics, AnEmptyRunHasAPictureToo) {
  EXPECT_EQ(loss_svg({}, "nothing").find("nan"), std::string::npos);
}

TEST_F(Metrics, ThroughputCountsStepsAlone) {
  Throughput throughput(10.0, 1e6);
  throughput.begin_step();
  throughput.end_step(100);
  const Throughput::Rates rates = throughput.take();
  EXPECT_GT(rates.tokens_per_second, 0);
  EXPECT_DOUBLE_EQ(rates.mfu, 10.0 * rates.tokens_per_second / 1e6);
  EXPECT_EQ(throughput.take().tokens_per_second, 0) << "a new window began";
  EXPECT_GT(throughput.mean_tokens_per_second(), 0);
}

TEST_F(Metrics, WordsForPeople) {
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(-1000), "-1,000");
  EXPECT_EQ(grouped(12), "12");
  EXPECT_EQ(counted(1, "file"), "1 file");
  EXPECT_EQ(counted(2500, "file"), "2,500 files");
  EXPECT_EQ(clock_time(3723), "1:02:03");
  EXPECT_EQ(binary_size(182.0 * 1024 * 1024), "182 MiB");
  EXPECT_EQ(binary_size(2.5 * 1024 * 1024 * 1024), "2.50 GiB");
}

}  // namespace
}  // namespace boostr
