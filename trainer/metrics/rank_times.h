#pragma once

#include <vector>

#include "parallel/comm/communicator.h"

namespace boostr {

/// What one rank's time was spent on, in seconds.
struct RankTimes {
  double wall = 0;           ///< all of it, by the clock of the steps
  double held_up = 0;        ///< its thread in communication, the pipeline's idle time included
  double pipeline_span = 0;  ///< from the first to the last of its passes
  double pipeline_work = 0;  ///< in passes
  double pipeline_idle = 0;  ///< in the pipeline, but in no pass

  RankTimes& operator+=(const RankTimes& more);
  RankTimes operator-(const RankTimes& before) const;
};

/// What all ranks' times come to.
struct TimesOfRanks {
  /// (longest span - busiest rank's work) / longest span, as in simulations; 0..1.
  double bubble_rate = 0;
  /// Of the time of all ranks, what communication held them up beside the pipeline's idle time; 0..1.
  double exposed_communication = 0;
  /// By rank, the seconds that it computed, of the whole window.
  std::vector<double> busy;
  int slowest() const;  ///< the rank that computed longest
};

/// The same on every rank. Collective.
TimesOfRanks gather_times(Communicator& world, const RankTimes& mine);

}  // namespace boostr
