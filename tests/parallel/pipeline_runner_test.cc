#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "ops/elementwise.h"
#include "ops/parameter.h"
#include "parallel/comm/threads.h"
#include "parallel/pipeline/csv.h"
#include "parallel/pipeline/kinds.h"
#include "parallel/pipeline/runner.h"
#include "parallel/pipeline/warm_up.h"
#include "tests/parallel/pipeline_rows.h"

namespace boostr {
namespace {

constexpr std::int64_t width = 5;

/// Virtual stage s multiplies what comes in by its weight; the last one adds all up. Microbatches
/// begin with numbers of their own.
class Factors final : public PipelineChunks {
 public:
  Factors(const Schedule& schedule, int rank) : schedule_(schedule), rank_(rank) {
    for (int chunk = 0; chunk < schedule.shape.chunks; ++chunk) weights_.push_back(weight(chunk));
  }

  Tensor forward(int chunk, int microbatch, const Tensor& input) override {
    const int stage = schedule_.virtual_stage(rank_, chunk);
    EXPECT_EQ(input.defined(), stage > 0);
    const Tensor x = input.defined() ? input : input_leaf(numbers(microbatch));
    const Tensor y = mul(x, weights_[static_cast<std::size_t>(chunk)]);
    const bool last = stage + 1 == schedule_.shape.virtual_stages();
    if (last) losses.push_back(sum(y).item());
    return last ? sum(y) : y;
  }

  void expect_weight_gradients(int chunk, bool last) override {
    deliveries.push_back({chunk, last});
  }

  const Parameter& weight_of(int chunk) const { return weights_[static_cast<std::size_t>(chunk)]; }
  static Tensor numbers(int microbatch) {
    std::vector<double> values;
    for (int i = 0; i < width; ++i) values.push_back(std::sin(1 + microbatch + 0.37 * i));
    return Tensor::of(Shape{width}, values);
  }

  std::vector<double> losses;
  std::vector<std::pair<int, bool>> deliveries;

 private:
  Parameter weight(int chunk) const {
    Parameter parameter(Shape{width}, DType::f64, Initial{});
    double* values = parameter.value().out().as<double>();
    for (int i = 0; i < width; ++i)
      values[i] = std::cos(schedule_.virtual_stage(rank_, chunk) + 0.11 * i);
    return parameter;
  }

  const Schedule& schedule_;
  int rank_;
  std::vector<Parameter> weights_;
};

/// The gradient of a virtual stage's weight, added up microbatch by microbatch.
std::vector<double> expected_gradient(const PipelineShape& shape, int stage) {
  std::vector<double> sums(width);
  for (int microbatch = 0; microbatch < shape.microbatches; ++microbatch) {
    const Tensor numbers = Factors::numbers(microbatch);
    for (int i = 0; i < width; ++i) {
      double before = numbers.values<double>()[static_cast<std::size_t>(i)], after = 1;
      for (int s = 0; s < stage; ++s) before *= std::cos(s + 0.11 * i);
      for (int s = shape.virtual_stages() - 1; s > stage; --s) after *= std::cos(s + 0.11 * i);
      sums[static_cast<std::size_t>(i)] += after * before;
    }
  }
  return sums;
}

void expect_right_gradients(const Schedule& schedule, const std::string& what) {
  run_ranks(schedule.shape.stages, [&](Communicator& world) {
    PipelineRunner runner(world, {Shape{width}, DType::f64});
    Factors chunks(schedule, world.rank());
    runner.run(schedule, chunks);
    for (int chunk = 0; chunk < schedule.shape.chunks; ++chunk) {
      const std::vector<double> expected =
          expected_gradient(schedule.shape, schedule.virtual_stage(world.rank(), chunk));
      const auto grad = chunks.weight_of(chunk).grad().values<double>();
      EXPECT_EQ(std::vector<double>(grad.begin(), grad.end()), expected) << what;
    }
    EXPECT_EQ(std::ranges::count(chunks.deliveries, true, &std::pair<int, bool>::second),
              schedule.shape.chunks)
        << what;
    EXPECT_EQ(chunks.deliveries.size(),
              static_cast<std::size_t>(schedule.shape.chunks * schedule.shape.microbatches))
        << what;
  });
}

TEST(PipelineRunner, GivesTheSameBitsForEveryKind) {
  for (const ScheduleKind& kind : schedule_kinds())
    for (const int stages : {1, 2, 4})
      for (const int microbatches : {1, 3, 9}) {
        const PipelineShape shape{stages, microbatches, kind.least_chunks};
        expect_right_gradients(
            schedule_of(kind.name, shape),
            text(kind.name, " of ", stages, " stages and ", microbatches, " microbatches"));
      }
}

TEST(PipelineRunner, AddsGradientsInOrderWhateverTheOrderOfAFile) {
  const char* backwards = "F0,F1,F2,BW2,BW1,BW0\nF0,F1,F2,BW2,BW1,BW0\n";
  expect_right_gradients(parse_schedule_csv(backwards, "backwards.csv"), "backwards");
  const char* late = "F0,F1,F2,B0,B1,B2,W2,W0,W1\nF0,B0,F1,B1,F2,BW2,W1,W0\n";
  expect_right_gradients(parse_schedule_csv(late, "late.csv"), "late");
}

TEST(PipelineRunner, StartsAnewWhereItsGateSaysNo) {
  for (const ScheduleKind& kind : schedule_kinds())
    for (const int stages : {1, 2, 4}) {
      const PipelineShape shape{stages, 9, kind.least_chunks};
      const Schedule schedule = schedule_of(kind.name, shape);
      run_ranks(stages, [&](Communicator& world) {
        PipelineRunner runner(world, {Shape{width}, DType::f64});
        int asked = 0;
        const PipelineGate gate{warm_up(schedule), [&] {
                                  world.barrier();
                                  return ++asked > 2;
                                }};
        for (int attempt = 0; attempt < 2; ++attempt) {
          Factors in_vain(schedule, world.rank());
          EXPECT_FALSE(runner.run(schedule, in_vain, gate)) << kind.name;
          EXPECT_TRUE(in_vain.deliveries.empty()) << kind.name;
        }
        Factors chunks(schedule, world.rank());
        EXPECT_TRUE(runner.run(schedule, chunks, gate)) << kind.name;
        EXPECT_EQ(asked, 3);
        for (int chunk = 0; chunk < shape.chunks; ++chunk) {
          const auto grad = chunks.weight_of(chunk).grad().values<double>();
          EXPECT_EQ(std::vector<double>(grad.begin(), grad.end()),
                    expected_gradient(shape, schedule.virtual_stage(world.rank(), chunk)))
              << kind.name;
        }
      });
    }
}

TEST(PipelineRunner, RunsForwardsAlone) {
  Schedule schedule = schedule_of("1f1b", {2, 3, 1});
  for (std::vector<Pass>& passes : schedule.passes)
    std::erase_if(passes, [](const Pass& pass) { return pass.kind != PassKind::forward; });
  run_ranks(2, [&](Communicator& world) {
    PipelineRunner runner(world, {Shape{width}, DType::f64});
    Factors chunks(schedule, world.rank());
    runner.run(schedule, chunks);
    EXPECT_EQ(chunks.losses.size(), world.rank() == 1 ? 3U : 0U);
    EXPECT_FALSE(chunks.weight_of(0).has_grad());
  });
}

TEST(PipelineRunner, ShowsWhatRanWhen) {
  const Schedule schedule = schedule_of("zb_h1", {3, 4, 1});
  run_ranks(3, [&](Communicator& world) {
    PipelineRunner runner(world, {Shape{width}, DType::f64});
    Factors chunks(schedule, world.rank());
    runner.run(schedule, chunks);
    const PipelineTimeline timeline = runner.gather_timeline();
    ASSERT_EQ(timeline.size(), 3U);
    for (std::size_t rank = 0; rank < timeline.size(); ++rank) {
      ASSERT_EQ(timeline[rank].size(), schedule.passes[rank].size());
      for (std::size_t i = 0; i < timeline[rank].size(); ++i) {
        EXPECT_EQ(timeline[rank][i].pass, schedule.passes[rank][i]);
        EXPECT_LE(timeline[rank][i].begin, timeline[rank][i].end);
        const double free = i > 0 ? timeline[rank][i - 1].end : timeline[rank][i].begin;
        EXPECT_LE(free, timeline[rank][i].begin);
      }
    }
    EXPECT_GT(bubble_rate(timeline), 0);
  });
}

TEST(PipelineRunner, NamesTheStageThatDoesNotDeliver) {
  const Schedule schedule = schedule_of("1f1b", {4, 6, 1});
  // The stages behind it wait too, each for the one before; they begin later, as the first to lose
  // patience speaks.
  const auto run = [&](Communicator& world) {
    PipelineRunner runner(world, {Shape{width}, DType::f64});
    Factors chunks(schedule, world.rank());
    std::this_thread::sleep_for(world.rank() == 0
                                    ? std::chrono::milliseconds(2000)
                                    : 100 * std::chrono::milliseconds(world.rank() - 1));
    runner.run(schedule, chunks);
  };
  try {
    run_ranks(4, run, std::chrono::milliseconds(300));
    FAIL() << "nobody noticed";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::communication);
    const std::string message = e.what();
    EXPECT_NE(message.find("activations of microbatch 0, which stage 0 makes in F0"),
              std::string::npos)
        << message;
    EXPECT_NE(message.find("rank 0 has not sent it"), std::string::npos) << message;
  }
}

TEST(PipelineRunner, RefusesAGroupOfAnotherSize) {
  run_ranks(2, [&](Communicator& world) {
    const Schedule schedule = schedule_of("1f1b", {3, 3, 1});
    PipelineRunner runner(world, {Shape{width}, DType::f64});
    Factors chunks(schedule, world.rank());
    EXPECT_THROW(runner.run(schedule, chunks), Error);
  });
}

}  // namespace
}  // namespace boostr
