#pragma once

#include <chrono>
#include <cstdint>

namespace boostr {

/// Measures training speed between rows of the metrics: time spent in steps alone, without
/// validation and saves.
class Throughput {
 public:
  /// `peak_flops`: FLOP/s of all ranks together that MFU is relative to.
  Throughput(double flops_per_token, double peak_flops)
      : flops_per_token_(flops_per_token), peak_flops_(peak_flops) {}

  /// A step begins, and ends having trained on `tokens`. The next one may have begun before: its
  /// time counts from that end on. Returns whether the one before had ended.
  bool begin_step() {
    if (open_steps_++ > 0) return false;
    begun_ = Clock::now();
    return true;
  }
  void end_step(std::int64_t tokens);

  struct Rates {
    double tokens_per_second = 0;
    double mfu = 0;               ///< flops_per_token * tokens_per_second / peak_flops
    double seconds_per_step = 0;  ///< mean
    std::int64_t steps = 0;
  };
  /// Since the last call; starts a new window.
  Rates take();
  /// Mean seconds per step over everything so far; 0 before the first step.
  double mean_step_seconds() const {
    return steps_ == 0 ? 0 : seconds_ / static_cast<double>(steps_);
  }
  /// Tokens per second over everything so far.
  double mean_tokens_per_second() const {
    return seconds_ > 0 ? static_cast<double>(tokens_) / seconds_ : 0;
  }

 private:
  using Clock = std::chrono::steady_clock;
  double flops_per_token_, peak_flops_;
  Clock::time_point begun_{};
  int open_steps_ = 0;
  double seconds_ = 0, window_seconds_ = 0;
  std::int64_t steps_ = 0, window_steps_ = 0;
  std::int64_t tokens_ = 0, window_tokens_ = 0;
};

/// Peak resident set of this process, bytes.
std::int64_t peak_memory_bytes();
/// Seconds since the epoch.
double unix_time();

}  // namespace boostr
