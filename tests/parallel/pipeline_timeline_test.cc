#include <gtest/gtest.h>

#include "kernels/runtime/error.h"
#include "parallel/pipeline/timeline.h"
#include "tests/parallel/pipeline_rows.h"

namespace boostr {
namespace {

constexpr StageCosts times{.forward = 1, .backward_input = 2, .backward_weight = 1};

std::size_t count(const std::string& words, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = words.find(part); at != std::string::npos; at = words.find(part, at + 1))
    ++found;
  return found;
}

TEST(PipelineTimeline, IsAsWideAsTheTimeThatPassesTake) {
  const PipelineTimeline timeline = simulated("1f1b", {2, 2, 1}, times).timeline;
  EXPECT_EQ(timeline_text(timeline, 24, 1),
            "0 F0F1......BW0---..BW1---\n"
            "1 ..F0BW0---F1BW1---......\n")
      << "12 units of time in 24 columns";
  EXPECT_EQ(timeline_text(timeline, 12, 1),
            "0 FF...BW0.BW1\n"
            "1 .FBW0FBW1...\n");
}

TEST(PipelineTimeline, ShowsChunksAndHalves) {
  const PipelineTimeline timeline = simulated("zb_v", {1, 1, 2}, times).timeline;
  EXPECT_EQ(timeline_text(timeline, 40, 2), "0 F0.0-F0.1-B0.1------W0.1-B0.0------W0.0-\n");
}

TEST(PipelineTimeline, IsDrawnFromItsFirstBegin) {
  const PipelineTimeline measured = {{{{PassKind::forward, 0}, 100, 101}}, {}};
  EXPECT_EQ(timeline_text(measured, 4, 1), "0 F0--\n1 ....\n");
}

TEST(PipelineTimeline, IsAPictureOfEveryPass) {
  const PipelineShape shape{3, 4, 2};
  const std::vector<StageCosts> costs = even_costs(times, shape);
  const Schedule schedule = make_schedule("zb_v", {.shape = shape, .costs = costs});
  const std::string svg = timeline_svg(schedule, simulate(schedule, costs).timeline, "a<b & c");
  EXPECT_EQ(svg.find("<svg xmlns='http://www.w3.org/2000/svg'"), 0u);
  EXPECT_NE(svg.find("a&lt;b &amp; c"), std::string::npos);
  EXPECT_NE(svg.find("prefers-color-scheme: dark"), std::string::npos);
  const std::size_t in_legend = 1;
  for (const std::string kind : {"f", "b", "w"})
    EXPECT_EQ(count(svg, "<rect class='" + kind + "'"), 3 * 4 * 2 + in_legend) << kind;
  EXPECT_EQ(count(svg, "<rect class='idle'"), 3 + in_legend);
  EXPECT_EQ(count(svg, "<title>W3.1: "), 3u);
  const std::size_t between_ranks = 2 * (6 - 1) - 2;  // both ways, but not where the chain turns
  EXPECT_EQ(count(svg, "<line class='message'"), 4 * between_ranks + in_legend);
  EXPECT_EQ(count(svg, "nan") + count(svg, "inf"), 0u);
}

}  // namespace
}  // namespace boostr
