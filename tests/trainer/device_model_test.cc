#include "trainer/plan/device_model.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/trainer/data_files.h"
#include "trainer/plan/calibration.h"

namespace boostr {
namespace {

TEST(Curve, RunsThroughItsPointsAndBeyondThem) {
  const Curve curve({{100, 8}, {1, 2}});
  EXPECT_DOUBLE_EQ(curve.at(1), 2);
  EXPECT_DOUBLE_EQ(curve.at(100), 8);
  EXPECT_DOUBLE_EQ(curve.at(10), 4) << "the geometric mean";
  EXPECT_DOUBLE_EQ(curve.at(0.01), 2);
  EXPECT_DOUBLE_EQ(curve.at(1000), 80);
}

TEST(DeviceModel, TakesTheLongerOfComputingAndMoving) {
  const DeviceModel device = known_device("h200");
  const double launch = device.kernel_seconds;
  const KernelCall product{"gemm", DType::bf16, 989.5e12, 1};
  EXPECT_NEAR(device.seconds(product) - launch, 1 / device.product_efficiency, 1e-9);
  const KernelCall sum{"add", DType::bf16, 0, 4.8e12};
  EXPECT_NEAR(device.seconds(sum) - launch, 1 / device.memory_efficiency, 1e-9);
}

TEST(DeviceModel, KnowsWhichGroupsLeaveTheHost) {
  const DeviceModel device = known_device("h200");
  const auto seconds = [&](const GroupPlace& place) {
    return device.seconds(WireCall{CallKind::all_gather, "dp", place, 8e9});
  };
  const double inside = seconds({0, 8, 1}), apart = seconds({0, 8, 8}),
               across = seconds({0, 16, 1});
  EXPECT_NEAR(inside, 7e9 / device.inside.bytes_per_second, 1e-3);
  EXPECT_NEAR(apart, 7e9 / device.between.bytes_per_second, 1e-3) << "one rank on each host";
  EXPECT_LT(across, 0.2 * apart) << "eight ranks of a host share out what leaves it";
}

HostRates rates_of(int ranks, double host_seconds) {
  HostRates rates;
  rates.share = {ranks, 1};
  rates.flops = {{DType::f32, 1e9}};
  rates.bandwidth = 1e9;
  rates.host_seconds = host_seconds;
  rates.step_factor = 1.25;
  rates.kernels[{"gemm", DType::f32}] = Curve({{1e-3, 3e-3}, {1e-2, 2e-2}});
  rates.collectives[{"all_reduce", 2}] = Curve({{100, 1e-4}});
  rates.collectives[{"all_reduce", 8}] = Curve({{100, 5e-4}});
  return rates;
}

TEST(Calibration, IsReadAsItWasWritten) {
  const TestFolder folder;
  const std::string file = folder / "cache/calibration.json";
  Calibration(file).add(rates_of(2, 0));
  EXPECT_EQ(Calibration(folder / "none.json").nearest({2, 1}), nullptr);
  const Calibration read(file);
  const HostRates* const rates = read.nearest({2, 1});
  ASSERT_NE(rates, nullptr);
  const DeviceModel device = calibrated_device(*rates, {2, 1});
  EXPECT_DOUBLE_EQ(device.step_factor, 1.25);
  EXPECT_DOUBLE_EQ(device.seconds(KernelCall{"gemm", DType::f32, 1e6, 0}), 3e-3);
  EXPECT_DOUBLE_EQ(device.seconds(WireCall{CallKind::all_reduce, "dp", {0, 3, 1}, 200}), 2e-4);
  EXPECT_DOUBLE_EQ(device.seconds(WireCall{CallKind::all_reduce, "dp", {0, 8, 1}, 100}), 5e-4);
}

TEST(Calibration, KeepsOneMeasurementOfEachShareAndFindsTheNearest) {
  const TestFolder folder;
  Calibration calibration(folder / "calibration.json");
  for (const int ranks : {1, 2, 8}) calibration.add(rates_of(ranks, ranks));
  calibration.add(rates_of(2, 20));
  EXPECT_EQ(calibration.nearest({2, 1})->host_seconds, 20);
  EXPECT_EQ(calibration.nearest({6, 1})->host_seconds, 8);
}

TEST(Calibration, RefusesAnotherFile) {
  const TestFolder folder;
  const std::string file = folder.write("calibration.json", "{\"rates\": 3");
  EXPECT_THAT(error_of([&] { Calibration{file}; }, ExitCode::usage),
              testing::HasSubstr("calibration.json' is no calibration"));
}

}  // namespace
}  // namespace boostr
