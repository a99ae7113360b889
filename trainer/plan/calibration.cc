#include "trainer/plan/calibration.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "trainer/checkpoint/file_ops.h"
#include "trainer/trainer.h"

namespace boostr {
namespace {

using Json = nlohmann::json;

constexpr int format = 2;

Json json_of(const HostRates& rates) {
  Json flops = Json::object(), kernels = Json::array(), collectives = Json::array();
  for (const auto& [dtype, rate] : rates.flops) flops[std::string(name(dtype))] = rate;
  for (const auto& [key, curve] : rates.kernels)
    kernels.push_back(
        {{"name", key.first}, {"dtype", name(key.second)}, {"points", curve.points()}});
  for (const auto& [key, curve] : rates.collectives)
    collectives.push_back({{"name", key.first}, {"ranks", key.second}, {"points", curve.points()}});
  return {{"ranks", rates.share.ranks},
          {"threads", rates.share.threads},
          {"flops", flops},
          {"bandwidth", rates.bandwidth},
          {"host_seconds", rates.host_seconds},
          {"step_factor", rates.step_factor},
          {"kernels", kernels},
          {"collectives", collectives}};
}

Curve curve_of(const Json& points) {
  return Curve(points.get<std::vector<std::pair<double, double>>>());
}

HostRates rates_of(const Json& object) {
  HostRates rates;
  rates.share = {object.at("ranks").get<int>(), object.at("threads").get<int>()};
  for (const auto& [dtype, rate] : object.at("flops").items())
    rates.flops[dtype_named(dtype)] = rate.get<double>();
  rates.bandwidth = object.at("bandwidth").get<double>();
  rates.host_seconds = object.at("host_seconds").get<double>();
  rates.step_factor = object.at("step_factor").get<double>();
  for (const Json& kernel : object.at("kernels"))
    rates.kernels[{kernel.at("name").get<std::string>(),
                   dtype_named(kernel.at("dtype").get<std::string>())}] =
        curve_of(kernel.at("points"));
  for (const Json& collective : object.at("collectives"))
    rates.collectives[{collective.at("name").get<std::string>(),
                       collective.at("ranks").get<int>()}] = curve_of(collective.at("points"));
  return rates;
}

}  // namespace

Calibration::Calibration(std::string path) : path_(std::move(path)) {
  std::ifstream file(path_);
  if (!file.is_open()) return;
  try {
    const Json object = Json::parse(file);
    if (object.at("format").get<int>() != format) return;  // of another version: measured anew
    for (const Json& rates : object.at("rates")) all_.push_back(rates_of(rates));
  } catch (const Json::exception& error) {
    throw Error(ExitCode::usage, text("'", path_, "' is no calibration: ", error.what(),
                                      "; remove it and run plan --calibrate"));
  }
}

void Calibration::add(HostRates rates) {
  std::erase_if(all_, [&](const HostRates& other) { return other.share == rates.share; });
  all_.push_back(std::move(rates));
  write();
}

const HostRates* Calibration::nearest(const HostShare& share) const {
  const auto distance = [&](const HostRates& rates) {
    return std::abs(std::log2(double(rates.share.ranks) / share.ranks)) +
           std::abs(std::log2(double(rates.share.threads) / share.threads));
  };
  const auto found = std::ranges::min_element(all_, {}, distance);
  return found == all_.end() ? nullptr : &*found;
}

void Calibration::write() const {
  Json rates = Json::array();
  for (const HostRates& one : all_) rates.push_back(json_of(one));
  const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
  std::error_code failed;
  if (!folder.empty()) std::filesystem::create_directories(folder, failed);
  require(!failed, ExitCode::usage, "cannot make the folder of '", path_, "': ", failed.message());
  write_file_atomically(path_, Json{{"format", format}, {"rates", rates}}.dump() + "\n", FileOps());
}

DeviceModel calibrated_device(const HostRates& rates, const HostShare& share) {
  DeviceModel device = host_model(share);
  device.source = text("measured on this machine with ", rates.share.ranks, " ranks of ",
                       rates.share.threads, " threads");
  device.flops = rates.flops;
  device.bandwidth = rates.bandwidth;
  device.inside = {rates.bandwidth / 4, 10e-6};  // of what was not measured
  device.host_seconds = rates.host_seconds;
  device.step_factor = rates.step_factor;
  device.kernels = rates.kernels;
  device.collectives = rates.collectives;
  return device;
}

}  // namespace boostr
