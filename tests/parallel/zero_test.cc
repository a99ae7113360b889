#include "parallel/zero/zero.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <thread>

#include "kernels/kernel_table.h"
#include "ops/autograd.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "parallel/comm/self.h"
#include "parallel/comm/threads.h"
#include "parallel/mesh.h"

namespace boostr {
namespace {

/// Units of parameters of less than a chunk, of some chunks, and of a chunk and a rest.
std::vector<std::vector<Parameter>> make_units() {
  std::vector<std::vector<Parameter>> units;
  for (const std::vector<std::int64_t>& sizes :
       {std::vector<std::int64_t>{3, 3 * norm_chunk}, {norm_chunk + 7}, {40, 7, 100}}) {
    units.emplace_back();
    for (const std::int64_t size : sizes) {
      units.back().emplace_back(Shape{size}, DType::f64, Initial{});
      units.back().back().set_name(text("p", size));
    }
  }
  return units;
}

std::vector<Parameter> all_of(const std::vector<std::vector<Parameter>>& units) {
  std::vector<Parameter> all;
  for (const std::vector<Parameter>& unit : units) all.insert(all.end(), unit.begin(), unit.end());
  return all;
}

/// Element i of parameter number `index` at first.
double initial(std::size_t index, std::int64_t i) {
  return static_cast<double>(index) + std::sin(static_cast<double>(i));
}

void initialize(Zero& zero) {
  for (const OwnedSlice& slice : zero.owned())
    for (std::int64_t i = 0; i < slice.numel; ++i)
      slice.value.out().as<double>()[i] = initial(slice.index, slice.begin + i);
  zero.gather_parameters();
}

/// Backward of factor * sum of p^2 / 2 of all parameters: each gradient is factor * p.
void backward_of_squares(const std::vector<Parameter>& parameters, double factor) {
  Tensor loss;
  for (const Parameter& parameter : parameters) {
    const Tensor term = scale(sum(mul(parameter, parameter)), 0.5 * factor);
    loss = loss.defined() ? add(loss, term) : term;
  }
  backward(loss);
}

struct Case {
  int stage, replicate, shard;
  std::int64_t bucket_bytes;
};

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  return text("stage", c.stage, "_", c.replicate, "x", c.shard, "_buckets_of_", c.bucket_bytes);
}

class ZeroStages : public ::testing::TestWithParam<Case> {
 protected:
  /// Runs test(mesh, units, zero) on every rank.
  template <class Test>
  static void run(Test&& test) {
    const Case& c = GetParam();
    run_ranks(c.replicate * c.shard, [&](Communicator& world) {
      Mesh mesh(world, {.replicate = c.replicate, .shard = c.shard});
      const std::vector<std::vector<Parameter>> units = make_units();
      Zero zero(units, {mesh.shard(), mesh.replicate()}, mesh.tp(),
                {.stage = c.stage, .bucket_bytes = c.bucket_bytes});
      initialize(zero);
      test(mesh, all_of(units), zero);
    });
  }
};

TEST_P(ZeroStages, GivesEveryRankTheValues) {
  run([](Mesh&, const std::vector<Parameter>& parameters, Zero&) {
    for (std::size_t index = 0; index < parameters.size(); ++index) {
      const Tensor value = parameters[index].value();
      for (std::int64_t i = 0; i < value.numel(); ++i)
        ASSERT_EQ(value.values<double>()[i], initial(index, i)) << parameters[index].name();
    }
  });
}

TEST_P(ZeroStages, OwnsEveryElementOncePerReplica) {
  run([](Mesh& mesh, const std::vector<Parameter>& parameters, Zero& zero) {
    const bool divides = GetParam().stage > 0;
    for (std::size_t index = 0; index < parameters.size(); ++index) {
      Tensor owners = Tensor::zeros({parameters[index].numel()}, DType::f64);
      for (const OwnedSlice& slice : zero.owned())
        if (slice.index == index) fill(owners.rows(slice.begin, slice.numel), 1.0);
      mesh.shard().all_reduce(owners.out()).wait();
      for (const double count : owners.values<double>())
        ASSERT_EQ(count, divides ? 1 : mesh.shard().size()) << parameters[index].name();
    }
  });
}

TEST_P(ZeroStages, SumsGradientsOverRanksAndMicrobatchesOnce) {
  run([](Mesh& mesh, std::vector<Parameter> parameters, Zero& zero) {
    const int ranks = mesh.dp().size();
    for (int step = 0; step < 2; ++step) {
      for (Parameter& parameter : parameters) parameter.zero_grad();
      zero.expect_backward(0, false);
      backward_of_squares(parameters, 1.0 + mesh.dp().rank());
      zero.expect_backward(0, true);
      backward_of_squares(parameters, 16.0);
      zero.reduce_gradients();
      const double factor = ranks * (ranks + 1) / 2 + 16.0 * ranks;
      for (const OwnedSlice& slice : zero.owned())
        for (std::int64_t i = 0; i < slice.numel; ++i)
          ASSERT_NEAR(slice.grad.values<double>()[i],
                      factor * initial(slice.index, slice.begin + i), 1e-11)
              << slice.parameter.name();
      zero.gather_parameters();
    }
  });
}

TEST_P(ZeroStages, UseWhatWasUpdated) {
  run([](Mesh&, std::vector<Parameter> parameters, Zero& zero) {
    for (int step = 1; step <= 3; ++step) {
      for (Parameter& parameter : parameters) parameter.zero_grad();
      zero.expect_backward(0, true);
      backward_of_squares(parameters, 1.0);
      zero.reduce_gradients();
      for (const OwnedSlice& slice : zero.owned())
        for (std::int64_t i = 0; i < slice.numel; ++i) slice.value.out().as<double>()[i] += 1;
      zero.gather_parameters();
      for (std::size_t index = parameters.size(); index-- > 0;)
        ASSERT_EQ(parameters[index].value().values<double>()[0], initial(index, 0) + step);
    }
  });
}

TEST_P(ZeroStages, AParameterThatGotNoGradientCountsAsZero) {
  run([](Mesh& mesh, const std::vector<Parameter>& parameters, Zero& zero) {
    // Where gradients and parameters move during the backward all ranks must run the same one.
    const int ranks = GetParam().stage < 2 ? 1 : mesh.dp().size();
    zero.expect_backward(0, true);
    if (mesh.dp().rank() < ranks) backward_of_squares({parameters[1], parameters[3]}, 4.0);
    zero.reduce_gradients();
    for (const OwnedSlice& slice : zero.owned()) {
      const bool used = slice.index == 1 || slice.index == 3;
      const double expected = used ? 4.0 * ranks * initial(slice.index, slice.begin) : 0.0;
      ASSERT_NEAR(slice.grad.values<double>()[0], expected, 1e-12) << slice.parameter.name();
    }
  });
}

TEST_P(ZeroStages, SumChunksToTheSameBits) {
  run([](Mesh&, const std::vector<Parameter>& parameters, Zero& zero) {
    std::vector<double> chunks;
    for (const OwnedSlice& slice : zero.owned())
      for (std::int64_t first = slice.begin; first < slice.begin + slice.numel; first += norm_chunk)
        chunks.push_back(initial(slice.index, first) / 3);
    const std::vector<double> sums = zero.sums().per_parameter(chunks);
    ASSERT_EQ(sums.size(), parameters.size());
    for (std::size_t index = 0; index < sums.size(); ++index) {
      double expected = 0;
      for (std::int64_t first = 0; first < parameters[index].numel(); first += norm_chunk)
        expected += initial(index, first) / 3;
      EXPECT_EQ(sums[index], expected) << parameters[index].name();
    }
  });
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const int stage : {0, 1, 2, 3})
    for (const auto& [replicate, shard] : {std::pair{1, 1}, {1, 3}, {2, 1}, {2, 2}, {1, 7}})
      for (const std::int64_t bytes : {1, 600, 1 << 20})
        all.push_back({stage, replicate, shard, bytes});
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, ZeroStages, ::testing::ValuesIn(cases()), name_of);

TEST(Zero, RefusesStagesThatDoNotExist) {
  const auto world = self_world();
  EXPECT_THROW(Zero(make_units(), {*world, *world}, *world, {.stage = 4}), Error);
}

TEST(Zero, KeepsFewBucketsOfStageThreeInMemory) {
  run_ranks(2, [](Communicator& world) {
    const auto alone = self_world();
    std::vector<std::vector<Parameter>> units;
    for (int i = 0; i < 8; ++i)
      units.push_back({Parameter({16 * norm_chunk}, DType::f64, Initial{})});
    Zero zero(units, {world, *alone}, *alone, {.stage = 3});
    initialize(zero);
    world.barrier();
    if (world.rank() == 0) reset_peak_memory();
    const std::size_t before = allocator_stats().bytes_in_use;
    world.barrier();
    for (const std::vector<Parameter>& unit : units)
      EXPECT_EQ(unit[0].value().values<double>()[0],
                initial(static_cast<std::size_t>(&unit - units.data()), 0));
    world.barrier();
    // Of each rank at most three of the eight buckets, one of which was fetched before.
    const std::size_t bucket = 16 * norm_chunk * sizeof(double);
    EXPECT_LE(allocator_stats().peak_bytes_in_use, before + 2 * 2 * bucket + 4096);
  });
}

/// What the first rank that gives up waiting for rank 1 says about rank 0's `use`.
template <class Use>
std::string message_of_hang(int stage, Use&& use) {
  try {
    run_ranks(
        2,
        [&](Communicator& world) {
          const auto alone = self_world();
          const std::vector<std::vector<Parameter>> units = make_units();
          Zero zero(units, {world, *alone}, *alone, {.stage = stage});
          initialize(zero);
          if (world.rank() == 0) return use(units, zero);
          std::this_thread::sleep_for(std::chrono::seconds(2));  // hangs where it calls nothing
        },
        std::chrono::milliseconds(300));
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::communication);
    return e.what();
  }
  return "no error";
}

TEST(Zero, NamesTheBucketWhoseGradientsARankDoesNotDeliver) {
  for (const int stage : {0, 1, 2, 3}) {
    const std::string message = message_of_hang(stage, [](const auto& units, Zero& zero) {
      zero.expect_backward(0, true);
      zero.reduce_gradients();
      (void)units;
    });
    EXPECT_NE(
        message.find(stage < 2 ? "gradients of bucket 3 of 3, p40 to p100" : "gradients of bucket"),
        std::string::npos)
        << message;
    EXPECT_NE(message.find("rank 1 has not entered it"), std::string::npos) << message;
  }
}

TEST(Zero, NamesTheBucketWhoseValuesARankDoesNotDeliver) {
  const std::string message = message_of_hang(3, [](const auto& units, Zero&) {
    (void)units[0][0].value().in();
    (void)units[1][0].value().in();
  });
  EXPECT_NE(message.find("values of bucket"), std::string::npos) << message;
  EXPECT_NE(message.find("rank 1 has"), std::string::npos) << message;
}

}  // namespace
}  // namespace boostr
