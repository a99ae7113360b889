#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "parallel/comm/communicator.h"
#include "trainer/plan/device_model.h"
#include "trainer/plan/this_device.h"
#include "trainer/recipe.h"

namespace boostr {

/// What one of so many ranks got out of this machine while all of them trained.
struct HostRates {
  HostShare share;
  std::map<DType, double> flops;
  double bandwidth = 0;
  double host_seconds = 0;
  /// What a whole step took of what a plan by these rates says: ranks that wait for each other wake
  /// up late, and those that share cores are in each other's way.
  double step_factor = 1;
  std::map<std::pair<std::string, DType>, Curve> kernels;
  std::map<std::pair<std::string, int>, Curve> collectives;
};

/// Trains small models of several sizes, each for some steps, and notes how long kernels and
/// collectives take on the first rank of `world`, which share this machine as `share` says. `also`,
/// where it is given, is one more of them, on its own mesh, and all are of its type; whole steps of it
/// tell the step factor. Collective; takes some seconds.
HostRates measure_rates(Communicator& world, const HostShare& share, const Recipe* also);

/// The rates measured on this machine, in a file.
class Calibration {
 public:
  /// Nothing if there is no such file; Error(usage) if it is something else.
  explicit Calibration(std::string path);
  /// Puts `rates` in the place of those of the same share, and writes the file.
  void add(HostRates rates);
  /// Of that share, or of the one nearest to it; null without any.
  const HostRates* nearest(const HostShare& share) const;
  const std::string& path() const { return path_; }

 private:
  void write() const;

  std::string path_;
  std::vector<HostRates> all_;
};

/// This machine as one of so many ranks finds it, by what was measured.
DeviceModel calibrated_device(const HostRates& rates, const HostShare& share);

}  // namespace boostr
