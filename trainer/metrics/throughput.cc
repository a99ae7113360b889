#include "trainer/metrics/throughput.h"

#include <sys/resource.h>

namespace boostr {

void Throughput::end_step(std::int64_t tokens) {
  const Clock::time_point now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - begun_).count();
  begun_ = now;
  --open_steps_;
  seconds_ += seconds;
  window_seconds_ += seconds;
  ++steps_;
  ++window_steps_;
  tokens_ += tokens;
  window_tokens_ += tokens;
}

Throughput::Rates Throughput::take() {
  Rates rates;
  if (window_seconds_ > 0) {
    rates.tokens_per_second = static_cast<double>(window_tokens_) / window_seconds_;
    rates.seconds_per_step = window_seconds_ / static_cast<double>(window_steps_);
    rates.steps = window_steps_;
    if (peak_flops_ > 0) rates.mfu = flops_per_token_ * rates.tokens_per_second / peak_flops_;
  }
  window_seconds_ = 0;
  window_steps_ = window_tokens_ = 0;
  return rates;
}

std::int64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;  // Linux counts KiB
}

double unix_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace boostr
