#pragma once

#include <chrono>
#include <deque>

namespace boostr {

/// How long a collective may wait before the run counts as hanging: what the recipe says, or, where
/// it leaves that open, 5 minutes outside of steps and in a process's first one (which starts
/// threads, touches memory and meets slow file systems), and 10 times the median step, at least a
/// minute, in the others.
class CollectiveTimeout {
 public:
  /// `configured`: seconds; 0: open.
  explicit CollectiveTimeout(double configured) : configured_(configured) {}
  using Seconds = std::chrono::duration<double>;

  /// In the next step.
  Seconds in_step() const;
  /// Outside of steps.
  Seconds between_steps() const;
  void step_took(Seconds time);

 private:
  Seconds configured_;
  std::deque<Seconds> last_steps_;
};

}  // namespace boostr
