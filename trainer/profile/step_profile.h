#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernels/runtime/timeline.h"

namespace boostr {

/// Events of one kind, name and type taken together; sums over the steps of a profile.
struct ProfileRow {
  TimelineEvent::Kind kind = TimelineEvent::Kind::kernel;
  std::string name;
  DType dtype = DType::u8;
  std::string shapes;  ///< of the first operands, if rows are told apart by them
  std::int64_t calls = 0;
  double seconds = 0;
  double flops = 0;
  double bytes = 0;
};

/// Where the time of some steps of one rank went.
struct StepProfile {
  std::int64_t steps = 0;
  double seconds = 0;            ///< of all steps
  std::vector<ProfileRow> rows;  ///< kernels, communication, data; of each the longest first
  /// Time in no row: allocation, autograd, host code.
  double other_seconds() const;
};
StepProfile summarize(const std::vector<TimelineEvent>& events, bool by_shape);

/// What one rank's threads reach at most.
struct MachinePeaks {
  std::map<DType, double> flops;  ///< per second, by element type
  double bandwidth = 0;           ///< bytes per second, read and written together
};

/// How near a row came to its limit: its FLOPs at the peak of its type or its bytes at the
/// bandwidth, whichever takes longer.
struct RowLimit {
  double fraction = 0;         ///< of that rate; 0 where neither is known
  bool compute_bound = false;  ///< FLOPs are the limit
};
RowLimit limit_of(const ProfileRow& row, const MachinePeaks& peaks);

/// The profile as lines for people: means per step, shares of the step, rates, limits.
std::string profile_table(const StepProfile& profile, const MachinePeaks& peaks);

}  // namespace boostr
