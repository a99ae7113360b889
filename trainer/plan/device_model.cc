#include "trainer/plan/device_model.h"

#include <algorithm>
#include <cmath>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

/// Where two points lie on logarithmic paper, at `size` between them.
double between(const std::pair<double, double>& a, const std::pair<double, double>& b,
               double size) {
  const double part = std::log(size / a.first) / std::log(b.first / a.first);
  return a.second * std::pow(b.second / a.second, part);
}

bool is_attention(const KernelCall& call) { return call.name.starts_with("attention"); }

/// What kernels and collectives of a tuned library reach of the data sheet on large operands, as the
/// throughputs that are published for training imply.
DeviceModel gpu(std::string name, std::string source) {
  DeviceModel device;
  device.name = std::move(name);
  device.source = std::move(source);
  device.product_efficiency = 0.65;
  device.attention_efficiency = 0.45;
  device.memory_efficiency = 0.75;
  device.kernel_seconds = 4e-6;
  device.overlaps = true;
  return device;
}

DeviceModel h200() {
  DeviceModel device = gpu("h200", "NVIDIA H200 SXM data sheet; 8 to a host, 400 Gb/s each");
  device.memory_bytes = 141e9;
  device.flops = {
      {DType::bf16, 989.5e12}, {DType::f16, 989.5e12}, {DType::f32, 67e12}, {DType::f64, 67e12}};
  device.bandwidth = 4.8e12;
  device.inside = {0.8 * 450e9, 10e-6};
  device.between = {0.8 * 50e9, 20e-6};
  return device;
}

DeviceModel a100() {
  DeviceModel device = gpu("a100", "NVIDIA A100 80GB SXM data sheet; 8 to a host, 200 Gb/s each");
  device.memory_bytes = 80e9;
  device.flops = {
      {DType::bf16, 312e12}, {DType::f16, 312e12}, {DType::f32, 19.5e12}, {DType::f64, 19.5e12}};
  device.bandwidth = 2.039e12;
  device.inside = {0.8 * 300e9, 10e-6};
  device.between = {0.8 * 25e9, 20e-6};
  return device;
}

}  // namespace

Curve::Curve(std::vector<std::pair<double, double>> points) : points_(std::move(points)) {
  std::ranges::sort(points_);
}

double Curve::at(double size) const {
  expect(!points_.empty(), "a curve without points");
  if (size <= points_.front().first) return points_.front().second;
  const auto& last = points_.back();
  if (size >= last.first) return last.second * size / last.first;
  const auto above = std::ranges::upper_bound(points_, size, {}, &std::pair<double, double>::first);
  return between(*(above - 1), *above, size);
}

double DeviceModel::least_seconds(const KernelCall& call) const {
  const auto peak = flops.find(call.dtype);
  const double computing = peak == flops.end() ? 0 : call.flops / peak->second;
  return std::max(computing, call.bytes / bandwidth);
}

double DeviceModel::seconds(const KernelCall& call) const {
  const auto measured = kernels.find({std::string(call.name), call.dtype});
  if (measured != kernels.end()) return measured->second.at(least_seconds(call)) + host_seconds;
  const auto peak = flops.find(call.dtype);
  const double efficiency = is_attention(call) ? attention_efficiency : product_efficiency;
  const double computing = peak == flops.end() ? 0 : call.flops / (peak->second * efficiency);
  const double moving = call.bytes / (bandwidth * memory_efficiency);
  return std::max(computing, moving) + kernel_seconds + host_seconds;
}

double DeviceModel::seconds(const WireCall& call) const {
  if (const Curve* curve = measured(call)) return curve->at(std::max(call.bytes, 1.0));
  const int span = call.place.stride * call.place.size;
  const double rounds = std::ceil(std::log2(std::max(call.place.size, 2)));
  if (span <= ranks_per_host)
    return rounds * inside.seconds + call.sent_bytes() / inside.bytes_per_second;
  // Members of one host share out what goes to the others.
  const int together = std::clamp(ranks_per_host / call.place.stride, 1, call.place.size);
  const double rate = std::min(inside.bytes_per_second, together * between.bytes_per_second);
  return rounds * between.seconds + call.sent_bytes() / rate;
}

const Curve* DeviceModel::measured(const WireCall& call) const {
  const Curve* nearest = nullptr;
  int distance = 0;
  for (const auto& [key, curve] : collectives) {
    const int away = std::abs(key.second - call.place.size);
    if (key.first != boostr::name(call.kind) || (nearest != nullptr && away >= distance)) continue;
    nearest = &curve;
    distance = away;
  }
  return nearest;
}

std::vector<std::string> known_devices() { return {"h200", "a100"}; }

DeviceModel known_device(const std::string& name) {
  if (name == "h200") return h200();
  if (name == "a100") return a100();
  throw Error(ExitCode::usage, text("unknown device '", name, "'; choose h200, a100 or this"));
}

}  // namespace boostr
