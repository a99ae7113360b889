#pragma once

#include <cstdint>
#include <string>

#include "trainer/metrics/metrics_log.h"

namespace boostr {

/// What a person sees of a run, on standard output of rank 0: one line per logged step, and on a
/// real terminal a bar below them that moves with every step.
class Console {
 public:
  /// `live_bar`: standard output is a terminal that this process alone writes to.
  Console(std::int64_t total_steps, bool enabled, bool live_bar)
      : total_steps_(total_steps), enabled_(enabled), live_bar_(enabled && live_bar) {}

  /// A line of its own.
  void say(const std::string& line);
  /// "step 50/200 | loss 3.0612 | grad_norm 0.834 | lr 2.91e-03 | 5,120 tok/s | MFU 41.2 % | 182
  /// MiB | ETA 0:01:23"; with several ranks also " | bubble 12 % | comm 3 %" behind MFU: the
  /// pipeline's, and the communication that no computation hides
  void step(const MetricsRow& row, double eta_seconds);
  /// Redraws the bar; nothing without one.
  void advance(std::int64_t step, double loss, double eta_seconds);
  /// Removes the bar.
  void finish();

 private:
  void clear_bar();

  std::int64_t total_steps_;
  bool enabled_, live_bar_;
  bool bar_drawn_ = false;
};

/// "12,345,678"
std::string grouped(std::int64_t value);
/// A count and what it counts: "1 file", "2,500 files".
std::string counted(std::int64_t count, const std::string& thing);
/// "1:02:03"
std::string clock_time(double seconds);
/// "182 MiB", "2.4 GiB"
std::string binary_size(double bytes);

}  // namespace boostr
