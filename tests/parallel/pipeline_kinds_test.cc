#include <gtest/gtest.h>

#include <array>
#include <map>

#include "kernels/runtime/error.h"
#include "parallel/pipeline/kinds.h"
#include "tests/parallel/pipeline_rows.h"

namespace boostr {
namespace {

std::string refusal(std::string_view kind, const PipelineShape& shape) {
  try {
    make_schedule(kind, {.shape = shape});
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    return e.what();
  }
  return "";
}

std::string written(const std::vector<Pass>& passes, int chunks) {
  std::string words;
  for (const Pass& pass : passes) words += text(words.empty() ? "" : " ", name(pass, chunks));
  return words;
}

TEST(PipelineKinds, AreTheOrdersOfTheirPapers) {
  const std::vector<std::array<std::string, 2>> first_ranks = {
      {"gpipe", "F0 F1 F2 BW0 BW1 BW2"},
      {"1f1b", "F0 F1 BW0 F2 BW1 BW2"},
      {"zb_h1", "F0 F1 B0 W0 F2 B1 W1 B2 W2"},
      {"zb_h2", "F0 F1 F2 B0 W0 B1 W1 B2 W2"}};
  for (const auto& [kind, order] : first_ranks)
    EXPECT_EQ(written(schedule_of(kind, {2, 3, 1}).passes[0], 1), order) << kind;
  const Schedule interleaved = schedule_of("interleaved_1f1b", {2, 2, 2});
  EXPECT_EQ(written(interleaved.passes[0], 2), "F0.0 F1.0 F0.1 F1.1 BW0.1 BW1.1 BW0.0 BW1.0");
  EXPECT_EQ(written(interleaved.passes[1], 2), "F0.0 F1.0 F0.1 BW0.1 F1.1 BW1.1 BW0.0 BW1.0");
}

TEST(PipelineKinds, PlaceVirtualStagesOnRanks) {
  const Schedule looped{.shape = {4, 1, 2}, .placement = Placement::looped, .passes = {}};
  const Schedule v{.shape = {4, 1, 2}, .placement = Placement::v_shaped, .passes = {}};
  EXPECT_EQ(looped.place(5), (StagePlace{1, 1}));
  EXPECT_EQ(v.place(5), (StagePlace{2, 1}));
  for (int stage = 0; stage < 8; ++stage)
    for (const Schedule* schedule : {&looped, &v}) {
      const StagePlace place = schedule->place(stage);
      EXPECT_EQ(schedule->virtual_stage(place.rank, place.chunk), stage);
    }
}

TEST(PipelineKinds, NamePeersOfEveryPass) {
  using enum PassKind;
  const Schedule looped{.shape = {4, 1, 2}, .placement = Placement::looped, .passes = {}};
  EXPECT_EQ(looped.destination(3, {forward, 0, 0}), (StagePlace{0, 1}));
  EXPECT_EQ(looped.source(0, {forward, 0, 1}), (StagePlace{3, 0}));
  EXPECT_EQ(looped.destination(0, {backward, 0, 1}), (StagePlace{3, 0}));
  EXPECT_EQ(looped.source(3, {backward_input, 0, 0}), (StagePlace{0, 1}));
  EXPECT_FALSE(looped.source(0, {forward, 0, 0}) || looped.destination(3, {forward, 0, 1}) ||
               looped.source(3, {backward, 0, 1}) || looped.destination(0, {backward, 0, 0}) ||
               looped.source(1, {backward_weight, 0, 0}));
  const Schedule v{.shape = {4, 1, 2}, .placement = Placement::v_shaped, .passes = {}};
  EXPECT_EQ(v.destination(3, {forward, 0, 0}), (StagePlace{3, 1})) << "to itself";
  EXPECT_EQ(v.destination(3, {forward, 0, 1}), (StagePlace{2, 1}));
}

// Sums of gradients then have the same bits under all schedules.
TEST(PipelineKinds, AddGradientsUpInTheOrderOfMicrobatches) {
  for (const ScheduleKind& kind : schedule_kinds())
    for (const int microbatches : {1, 3, 4, 11}) {
      const Schedule schedule = schedule_of(kind.name, {4, microbatches, kind.least_chunks});
      for (const std::vector<Pass>& passes : schedule.passes) {
        std::map<int, int> next;  // by chunk
        for (const Pass& pass : passes)
          if (makes_weight_gradients(pass.kind)) {
            EXPECT_EQ(pass.microbatch, next[pass.chunk]++) << kind.name;
          }
      }
    }
}

TEST(PipelineKinds, SayWhatFitsThem) {
  EXPECT_EQ(refusal("1f1b", {2, 2, 2}), "schedule 1f1b needs 1 chunk per rank, not 2");
  EXPECT_EQ(refusal("interleaved_1f1b", {2, 2, 1}),
            "schedule interleaved_1f1b needs 2 or more chunks per rank, not 1");
  EXPECT_EQ(refusal("zb_v", {2, 2, 4}), "schedule zb_v needs 2 chunks per rank, not 4");
  EXPECT_EQ(refusal("gpipe", {2, 0, 1}),
            "a pipeline needs at least one stage, one microbatch and one chunk, not 2, 0 and 1");
  EXPECT_EQ(refusal("gpipe", {10000, 10000, 1}),
            "a schedule may have 4194304 forwards at most, stages x chunks x microbatches, not "
            "100000000");
  EXPECT_EQ(refusal("zb_h3", {2, 2, 1}),
            "there is no schedule 'zb_h3'; schedules: " + schedule_kind_names());
  EXPECT_NE(schedule_kind_names().find("gpipe, 1f1b, interleaved_1f1b, zb_h1, zb_h2, zb_v, auto"),
            std::string::npos);
}

}  // namespace
}  // namespace boostr
