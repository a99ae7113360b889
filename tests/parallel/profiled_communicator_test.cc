#include "parallel/comm/profiled_communicator.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "parallel/comm/threads.h"
#include "tests/parallel/conformance.h"

namespace boostr::testing {
namespace {

class ProfiledConformance : public ::testing::TestWithParam<ConformanceCheck> {};

TEST_P(ProfiledConformance, Holds) {
  run_ranks(3, [&](Communicator& world) {
    Timeline timeline;
    ProfiledCommunicator profiled(world, timeline);
    GetParam().run(profiled);
  });
}

INSTANTIATE_TEST_SUITE_P(Checks, ProfiledConformance,
                         ::testing::ValuesIn(conformance_checks().begin(),
                                             conformance_checks().end()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(ProfiledCommunicator, NotesCallsWaitsAndBytesOneAfterTheOther) {
  run_ranks(2, [](Communicator& world) {
    Timeline timeline;
    ProfiledCommunicator profiled(world, timeline);
    Communicator& communicator = profiled;
    std::vector<float> values(6, 1.0F);
    const Out buffer{values.data(), DType::f32, {2, 3}};
    {
      Work work = communicator.all_reduce(buffer);
      communicator.barrier();
    }
    const auto part = communicator.split(0, communicator.rank(), "part");
    part->broadcast(buffer, 0).wait();

    std::vector<std::string> names;
    std::int64_t last_end = 0;
    for (const TimelineEvent& event : timeline.events()) {
      EXPECT_EQ(event.kind, TimelineEvent::Kind::communication);
      EXPECT_LE(last_end, event.begin);
      EXPECT_LE(event.begin, event.end);
      last_end = event.end;
      names.emplace_back(event.name);
    }
    EXPECT_EQ(names, (std::vector<std::string>{"all_reduce", "barrier", "all_reduce wait",
                                               "broadcast", "broadcast wait"}));
    ASSERT_FALSE(timeline.events().empty());
    EXPECT_EQ(timeline.events()[0].bytes, 24);
    EXPECT_EQ(timeline.events()[0].dtype, DType::f32);
    EXPECT_EQ(timeline.events()[0].shapes[0], (Shape{2, 3}));
    EXPECT_EQ(timeline.events()[2].bytes, 0) << "the bytes were counted twice";
    EXPECT_EQ(values[5], 2.0F);
  });
}

}  // namespace
}  // namespace boostr::testing
