#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kernels/runtime/dtype.h"
#include "trainer/plan/dry_rank.h"

namespace boostr {

/// Measured seconds by size: between points as straight as they lie on logarithmic paper, below the
/// first as long as that, above the last in proportion.
class Curve {
 public:
  Curve() = default;
  /// Points (size, seconds), all positive, in any order.
  explicit Curve(std::vector<std::pair<double, double>> points);
  double at(double size) const;
  const std::vector<std::pair<double, double>>& points() const { return points_; }

 private:
  std::vector<std::pair<double, double>> points_;
};

/// How a rank is connected to others.
struct Link {
  double bytes_per_second = 0;  ///< that it sends
  double seconds = 0;           ///< of an empty message
};

/// How long a device takes, and how much it holds. All figures are those of one rank.
struct DeviceModel {
  std::string name;
  std::string source;  ///< of the figures, for people
  double memory_bytes = 0;
  bool is_host = false;           ///< its memory is that of the host
  std::map<DType, double> flops;  ///< per second at most, in products of this type
  double bandwidth = 0;           ///< bytes per second at most, read and written together

  /// What is reached of these, where nothing was measured.
  double product_efficiency = 1, attention_efficiency = 1, memory_efficiency = 1;
  double kernel_seconds = 0;  ///< of a kernel without work, where nothing was measured
  double host_seconds = 0;    ///< between two kernels
  double step_factor = 1;     ///< how much longer a step takes than what its pieces add up to

  int ranks_per_host = 8;
  Link inside, between;   ///< a host, hosts
  bool overlaps = false;  ///< collectives run beside kernels

  /// Measured: seconds of a kernel by the least that it could take, and of a collective of so many
  /// ranks by bytes.
  std::map<std::pair<std::string, DType>, Curve> kernels;
  std::map<std::pair<std::string, int>, Curve> collectives;

  /// What the peaks allow.
  double least_seconds(const KernelCall& call) const;
  double seconds(const KernelCall& call) const;
  double seconds(const WireCall& call) const;

 private:
  /// Of the collective among as many ranks, or nearly; null if it was never measured.
  const Curve* measured(const WireCall& call) const;
};

/// "h200", "a100".
std::vector<std::string> known_devices();
/// One of these by its data sheet; Error(usage) for another name.
DeviceModel known_device(const std::string& name);

}  // namespace boostr
