#include "trainer/profile/profile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "kernels/runtime/profiler.h"
#include "parallel/comm/profiled_communicator.h"
#include "parallel/comm/self.h"
#include "parallel/comm/threads.h"
#include "tests/trainer/data_files.h"
#include "trainer/recipe_load.h"
#include "trainer/run_start.h"
#include "trainer/trainer.h"

namespace boostr {
namespace {

using nlohmann::json;

/// A recipe of seconds, with data of its own.
class TrainingProfile : public ::testing::Test {
 protected:
  TrainingProfile() {
    const std::string file = folder_.write("text.txt", prose());
    recipe_ = parse_recipe("r.yaml", text("output: ", folder_ / "run", R"(
model: {vocab_size: 256, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 4, intermediate_size: 64}
data: {train: [{text: )",
                                          file, R"(}]}
optimizer: {name: AdamW, lr: 0.01}
training: {steps: 3, seq_len: 32, micro_batch_size: 2, global_batch_size: 4, threads: 1}
checkpoint: {interval: 1}
)"))
                  .recipe;
  }

  /// What profile_training returns on rank 0 of `ranks`.
  std::string profile(int ranks, const ProfileOptions& options) const {
    std::string table;
    run_ranks(ranks, [&](Communicator& world) {
      const std::string mine = profile_training(recipe_, world, options);
      if (world.rank() == 0) table = mine;
      EXPECT_EQ(mine.empty(), world.rank() != 0);
    });
    return table;
  }

  /// Losses and gradient norms of some steps.
  std::vector<double> train(Communicator& world) const {
    Mesh mesh(world, mesh_degrees(recipe_.parallelism));
    const auto tokenizer = make_tokenizer(recipe_.tokenizer);
    const Dataset dataset(recipe_.data, *tokenizer,
                          {recipe_.model.llama.vocab_size, recipe_.training.seq_len});
    Trainer trainer(recipe_, mesh, dataset);
    std::vector<double> values;
    for (int i = 0; i < 3; ++i) {
      const StepReport report = trainer.step();
      values.insert(values.end(), {report.loss, report.grad_norm});
    }
    return values;
  }

  TestFolder folder_;
  Recipe recipe_;
};

TEST_F(TrainingProfile, ChangesNoBitOfTheTraining) {
  Timeline timeline;
  const auto world = self_world();
  const std::vector<double> plain = train(*world);
  std::vector<double> profiled;
  {
    const KernelProfiler profiler(timeline);
    ProfiledCommunicator profiled_world(*world, timeline);
    profiled = train(profiled_world);
  }
  EXPECT_GT(timeline.events().size(), 100U);
  EXPECT_EQ(plain, profiled);
}

/// The complete events of each track (process and thread) of a trace file, in the order of their
/// beginning.
std::map<std::pair<int, int>, std::vector<json>> tracks_of(const std::string& path) {
  std::ifstream file(path);
  const json trace = json::parse(file);
  std::map<std::pair<int, int>, std::vector<json>> tracks;
  for (const json& event : trace.at("traceEvents"))
    if (event.at("ph") == "X") tracks[{event.at("pid"), event.at("tid")}].push_back(event);
  for (auto& [track, events] : tracks)
    std::ranges::stable_sort(events, [](const json& a, const json& b) {
      return a.at("ts") != b.at("ts") ? a.at("ts") < b.at("ts") : a.at("dur") > b.at("dur");
    });
  return tracks;
}

std::int64_t nanoseconds(const json& microseconds) {
  return std::llround(microseconds.get<double>() * 1000);
}

TEST_F(TrainingProfile, TraceHasATrackPerRankWhoseEventsNest) {
  const std::string path = folder_ / "trace.json";
  profile(2, {.steps = 3, .warm_up_steps = 1, .trace = path});
  const auto tracks = tracks_of(path);
  ASSERT_EQ(tracks.size(), 4U) << "what two ranks did, and their passes";
  for (const auto& [track, events] : tracks) {
    if (events.front().at("cat") == "pass") {
      const auto passes = std::ranges::count_if(
          events, [](const json& event) { return event.at("cat") == "pass"; });
      EXPECT_EQ(passes, 3 * 2) << "F and BW of a microbatch a step";
      continue;
    }
    std::int64_t step_end = 0, last_end = 0;
    std::map<std::string, int> counts;
    for (const json& event : events) {
      const std::int64_t begin = nanoseconds(event.at("ts"));
      const std::int64_t end = begin + nanoseconds(event.at("dur"));
      ++counts[event.at("name")];
      EXPECT_GE(begin, last_end) << event << " begins before the last one ended";
      if (event.at("cat") == "step") {
        step_end = end;
        continue;
      }
      EXPECT_LE(end, step_end) << event << " is outside of its step";
      last_end = end;
      if (event.at("cat") != "kernel") continue;
      EXPECT_FALSE(event.at("args").at("shapes").empty()) << event;
      EXPECT_GT(event.at("args").at("bytes"), 0) << event;
    }
    EXPECT_EQ(counts["step"], 3);
    EXPECT_EQ(counts["next batch"], 3);
    EXPECT_EQ(counts["attention"], 3 * 2) << "a microbatch a step, two layers";
    EXPECT_EQ(counts["attention_grad"], 3 * 2);
    EXPECT_EQ(counts["adamw"], 3);
    EXPECT_GE(counts["all_reduce wait"], 3);
    EXPECT_EQ(counts["all_reduce wait"], counts["all_reduce"]);
  }
}

TEST_F(TrainingProfile, CountsTheModelsWork) {
  const std::string path = folder_ / "trace.json";
  profile(1, {.steps = 1, .warm_up_steps = 0, .trace = path});
  const auto tracks = tracks_of(path);
  ASSERT_EQ(tracks.size(), 2U) << "what the rank did, then its passes";
  double gemm = 0, attention = 0;
  for (const json& event : tracks.begin()->second) {
    const double flops = event.at("args").value("flops", 0.0);
    (event.at("name") == "gemm" ? gemm : attention) += flops;
  }
  // Three products for each weight of a matrix: forward, and both gradients. Four projections and
  // three matrices of the feed-forward a layer, then the vocabulary.
  const double weights = 2 * (4 * 32 * 32 + 3 * 32 * 64) + 32 * 256;
  EXPECT_EQ(gemm, 6 * weights * 4 * 32);
  const double pairs = 4 * 32 * 33 / 2;
  EXPECT_EQ(attention, 14 * pairs * 32 * 2) << "four FLOPs forward and ten backward";
}

TEST_F(TrainingProfile, WritesNothingButTheTrace) {
  const std::string table = profile(1, {.steps = 2, .trace = folder_ / "trace.json"});
  EXPECT_TRUE(std::filesystem::exists(folder_ / "trace.json"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
  for (const char* words :
       {"mean of 2 steps of 4 x 32 tokens | 1 rank x 1 thread", "tok/s | MFU", "\nattention_grad ",
        "\ncommunication: all_reduce ", "\ndata: next batch ", "\neverything else "})
    EXPECT_NE(table.find(words), std::string::npos) << words << " is not in\n" << table;
}

TEST_F(TrainingProfile, RefusesATraceThatCannotBeWrittenBeforeAnyStep) {
  const std::string path = "/dev/null/trace.json";
  try {
    profile(2, {.steps = 1 << 20, .trace = path});
    FAIL() << "profiled without a place for the trace";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace boostr
