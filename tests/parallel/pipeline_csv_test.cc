#include <gtest/gtest.h>

#include "kernels/runtime/error.h"
#include "parallel/pipeline/csv.h"
#include "tests/parallel/pipeline_rows.h"

namespace boostr {
namespace {

std::string refusal(const std::string& csv) {
  try {
    parse_schedule_csv(csv, "s.csv");
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    return e.what();
  }
  return "";
}

TEST(PipelineCsv, IsALinePerRankAndACellPerPass) {
  EXPECT_EQ(schedule_csv(schedule_of("1f1b", {2, 2, 1})), "F0,F1,BW0,BW1\nF0,BW0,F1,BW1\n");
  EXPECT_EQ(schedule_csv(schedule_of("zb_v", {1, 1, 2})),
            "placement,v\nF0.0,F0.1,B0.1,W0.1,B0.0,W0.0\n");
}

TEST(PipelineCsv, ReadsWhatItWrites) {
  for (const ScheduleKind& kind : schedule_kinds())
    for (const int microbatches : {1, 5, 12}) {
      const Schedule schedule = schedule_of(kind.name, {4, microbatches, kind.least_chunks});
      EXPECT_EQ(parse_schedule_csv(schedule_csv(schedule), "s.csv"), schedule) << kind.name;
    }
}

TEST(PipelineCsv, TakesWhatSpreadsheetsMakeOfIt) {
  EXPECT_EQ(parse_schedule_csv("# one rank\r\n\r\n F0 ,,BW0\t,\r\n", "s.csv"),
            schedule_of("1f1b", {1, 1, 1}));
}

TEST(PipelineCsv, GivesTheLineAndTheColumnOfWhatIsWrong) {
  const std::string no_pass =
      "' is no pass: F, B, W or BW with a microbatch below 10000 and, after a dot, a chunk below "
      "100, like F0 or BW3.1";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"F0,BW0\nF0, G0", "s.csv:2:5: 'G0" + no_pass},
      {"F", "s.csv:1:1: 'F" + no_pass},
      {"F-1", "s.csv:1:1: 'F-1" + no_pass},
      {"F10000", "s.csv:1:1: 'F10000" + no_pass},
      {"F99999999999999999999", "s.csv:1:1: 'F99999999999999999999" + no_pass},
      {"F0.", "s.csv:1:1: 'F0." + no_pass},
      {"F0.1x", "s.csv:1:1: 'F0.1x" + no_pass},
      {"WB0", "s.csv:1:1: 'WB0" + no_pass},
      {"F0 B0", "s.csv:1:1: 'F0 B0" + no_pass},
      {"", "s.csv:1:1: no rank has any pass"},
      {"placement,w\nF0,BW0", "s.csv:1:11: placement is 'placement,looped' or 'placement,v'"},
      {"F0,BW0\nplacement,v", "s.csv:2:1: 'placement" + no_pass},
      {"F0,BW0\nF0,B0", "s.csv:2:6: rank 1: W0 is missing"},
      {"F0,BW0,F1,BW1\nF0,BW0", "s.csv:2:7: rank 1: F1 is missing"},
      {"F0,BW0\n\nF0,F0,BW0", "s.csv:3:4: rank 1: F0 is doubled: pass 1 does it already"},
      {"F0,W0,B0", "s.csv:1:4: rank 0: W0 comes before its B0"},
      {"F1,BW1,F0,BW0\nF0,BW0,F1,BW1",
       "s.csv:1:4: rank 0: deadlock: rank 0 at BW1 waits for rank 1 to do BW1, rank 1 at F0 waits "
       "for rank 0 to do F0"}};
  for (const auto& [csv, message] : cases) EXPECT_EQ(refusal(csv), message) << csv;
}

TEST(PipelineCsv, SaysWhichFileCannotBeRead) {
  try {
    read_schedule_csv("nowhere.csv");
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "cannot read the schedule 'nowhere.csv': No such file or directory");
  }
}

}  // namespace
}  // namespace boostr
