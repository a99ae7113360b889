#include "parallel/comm/watchdog.h"

#include <chrono>
#include <optional>
#include <utility>

namespace boostr {

Watchdog::Watchdog(std::shared_ptr<Trace> trace, std::function<void(const std::string&)> on_hang)
    : trace_(std::move(trace)), on_hang_(std::move(on_hang)), thread_([this] { run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_one();
  thread_.join();
}

void Watchdog::run() {
  constexpr std::chrono::milliseconds interval{100};
  std::unique_lock lock(mutex_);
  while (!stop_.wait_for(lock, interval, [this] { return stopping_; })) {
    trace_->watch_processes();
    if (const std::optional<std::string> report = trace_->overdue()) {
      on_hang_(*report);
      return;
    }
  }
}

}  // namespace boostr
