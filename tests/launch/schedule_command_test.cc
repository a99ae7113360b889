#include "launch/schedule_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/launch/command_line.h"

namespace boostr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

/// `boostr-train schedule` with these arguments.
CommandOutcome run(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "schedule");
  return run_words(arguments, {});
}

std::string temporary(const std::string& name) { return testing::TempDir() + name; }

std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream all;
  all << file.rdbuf();
  return all.str();
}

TEST(ScheduleCommand, PrintsBubblesMemoryAndTheTimeline) {
  const CommandOutcome outcome = run({"--kind", "1f1b", "--stages", "2", "--microbatches", "2",
                                      "--times", "1,2,1,0", "--width", "24"});
  EXPECT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_EQ(outcome.out,
            "1f1b: 2 stages, 2 microbatches, bubble rate 0.3333\n"
            "makespan 12 ms\n"
            "peak activations per stage, in microbatches of a whole stage: 2 1\n\n"
            "0 F0F1......BW0---..BW1---\n"
            "1 ..F0BW0---F1BW1---......\n");
}

TEST(ScheduleCommand, PrintsOneJsonObject) {
  const CommandOutcome outcome = run({"--kind", "zb_h2", "--stages", "8", "--microbatches", "24",
                                      "--times", "18.522,18.086,9.337,0.601", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const nlohmann::json object = nlohmann::json::parse(outcome.out);
  EXPECT_NEAR(object.at("bubble_rate").get<double>(), 0.1083, 0.00005);
  EXPECT_NEAR(object.at("makespan").get<double>(), 1236.63, 0.005);
  EXPECT_EQ(object.at("peak_activation_memory").get<std::vector<double>>(),
            (std::vector<double>{15, 14, 13, 12, 11, 10, 9, 8}));
  const CommandOutcome conservative = run({"--kind", "zb_h2", "--stages", "8", "--microbatches",
                                           "24", "--weight-memory", "1", "--json"});
  EXPECT_EQ(nlohmann::json::parse(conservative.out)
                .at("peak_activation_memory")
                .get<std::vector<double>>(),
            std::vector<double>(8, 15));
}

TEST(ScheduleCommand, SearchesWithinTheMemoryLimit) {
  const auto rate = [](const std::string& limit, std::vector<std::string> arguments) {
    arguments.insert(arguments.end(),
                     {"--kind", "auto", "--stages", "8", "--microbatches", "32", "--times",
                      "18.513,18.086,9.331,.626", "--json", "--memory-limit", limit});
    const CommandOutcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.error;
    return nlohmann::json::parse(outcome.out).at("bubble_rate").get<double>();
  };
  const std::vector<std::string> one_chunk = {"--chunks", "1"};
  EXPECT_LE(rate("2.0", one_chunk), 0.0089) << "zb_2p of the paper within 0.005";
  EXPECT_EQ(rate("2.0", {}), rate("2.0", one_chunk));
  EXPECT_NEAR(rate("1.0", one_chunk), 0.1242, 0.00005) << "zb_h1";
  EXPECT_NEAR(rate("1.0", {}), 0.0563, 0.00005) << "two chunks, as in zb_v, are better";
  EXPECT_GT(rate("0.9", {}), 0.0563) << "two chunks do not fit";
}

TEST(ScheduleCommand, WritesASchedulesFileThatItReadsAgain) {
  const std::string csv = temporary("written.csv"), svg = temporary("written.svg");
  const CommandOutcome written = run(
      {"--kind=zb_v", "--stages=2", "--microbatches=4", "--json", "--csv=" + csv, "--svg=" + svg});
  ASSERT_EQ(written.code, 0) << written.error;
  EXPECT_THAT(contents(csv), StartsWith("placement,v\nF0.0,F1.0,"));
  EXPECT_THAT(contents(svg), StartsWith("<svg "));
  const CommandOutcome read = run({"--kind", csv, "--json"});
  ASSERT_EQ(read.code, 0) << read.error;
  EXPECT_EQ(nlohmann::json::parse(read.out).at("makespan"),
            nlohmann::json::parse(written.out).at("makespan"));
  EXPECT_EQ(run({"--kind", csv, "--stages", "3"}).error, "--stages 3, but '" + csv + "' has 2");
}

TEST(ScheduleCommand, GivesThePlaceOfAFaultInAFile) {
  const std::string path = temporary("faulty.csv");
  std::ofstream(path) << "F0,F0,BW0\n";
  const CommandOutcome outcome = run({"--kind", path});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.error, path + ":1:4: rank 0: F0 is doubled: pass 1 does it already");
}

TEST(ScheduleCommand, RefusesWhatMakesNoSchedule) {
  const std::vector<std::string> sizes = {"--stages", "4", "--microbatches", "8"};
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "--kind is required"},
      {{"--kind", "zb_h3"}, "there is no schedule 'zb_h3'; schedules: gpipe, "},
      {{"--kind", "nowhere.csv"}, "cannot read the schedule 'nowhere.csv'"},
      {{"--kind", "zb_v", "--chunks", "3"}, "schedule zb_v needs 2 chunks per rank, not 3"},
      {{"--kind", "1f1b", "--chunks", "0"}, "--chunks: Value 0 not in range"},
      {{"--kind", "1f1b", "--times", "1,1,1"}, "--times: "},
      {{"--kind", "1f1b", "--times", "1,1,1,-1"}, "--times needs T_F,T_B,T_W,T_comm"},
      {{"--kind", "1f1b", "--times", "1,nan,1,1"}, "--times needs T_F,T_B,T_W,T_comm"},
      {{"--kind", "1f1b", "--times", "0,0,0,1"}, "--times needs T_F,T_B,T_W,T_comm"},
      {{"--kind", "1f1b", "--times", "1,1,x,1"}, "Could not convert: --times"},
      {{"--kind", "1f1b", "--memory-limit", "0"}, "--memory-limit: "},
      {{"--kind", "1f1b", "--weight-memory", "1.5"}, "--weight-memory: "},
      {{"--kind", "auto", "--memory-limit", "0.2"},
       "no schedule of 1 chunk per rank keeps within 0.2 times the activation memory of 1f1b; the "
       "least is 1"},
      {{"--kind", "zb_h2", "--memory-limit", "1.5"},
       "schedule zb_h2 needs 1.75 times the activation memory of 1f1b, more than --memory-limit "
       "1.5"},
      {{"--kind", "1f1b", "--svg", ""}, "--svg: names no file"},
      {{"--kind", "1f1b", "--csv", "/dev/null/a.csv"},
       "cannot write '/dev/null/a.csv': Not a directory; choose another file with --csv"},
      {{"--kind", "1f1b", "--chunk", "1"}, "unknown argument '--chunk'; did you mean '--chunks'?"}};
  for (auto [arguments, message] : cases) {
    arguments.insert(arguments.end(), sizes.begin(), sizes.end());
    const CommandOutcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2) << message;
    EXPECT_THAT(outcome.error, StartsWith(message));
    EXPECT_EQ(outcome.out, "") << message;
  }
  EXPECT_THAT(run({"--kind", "zb"}).error, StartsWith("there is no schedule 'zb'"));
  EXPECT_EQ(run({"--kind", "1f1b", "--stages", "4"}).error,
            "schedule 1f1b needs --stages and --microbatches");
}

}  // namespace
}  // namespace boostr
