#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "parallel/comm/trace.h"

namespace boostr {

/// A thread that looks at one rank's trace several times a second, and calls `on_hang` with the
/// report once an operation is overdue or a rank's process has ended. It sees what the rank itself
/// cannot: that it is stuck inside a library.
class Watchdog {
 public:
  Watchdog(std::shared_ptr<Trace> trace, std::function<void(const std::string&)> on_hang);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void run();

  std::shared_ptr<Trace> trace_;
  std::function<void(const std::string&)> on_hang_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace boostr
