#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <vector>

namespace boostr {

/// What a push achieved: nothing (others must act first), something, or all there was to do.
enum class Step : std::uint8_t { waiting, moved, done };

/// One operation in flight: a small state machine that somebody has to push.
class Operation {
 public:
  virtual ~Operation() = default;
  bool done() const { return done_; }

 protected:
  /// Goes as far as it can without waiting for another rank. Throws what makes it fail.
  virtual Step advance() = 0;

 private:
  friend class Progress;
  bool done_ = false;
};

/// Waits politely: spins for microseconds (a peer on its own core answers in one), yields the core
/// for half a millisecond (more ranks than cores), then sleeps in short naps (a peer computes;
/// leave it the core).
class Backoff {
 public:
  explicit Backoff(bool spin) : spin_(spin) {}
  void pause();
  void reset() { pauses_ = 0; }

 private:
  bool spin_;
  int pauses_ = 0;
  std::chrono::steady_clock::time_point first_yield_;
};

/// Everything that one rank has in flight, over all its communicators. Whoever waits for one
/// operation pushes all of them, so ranks that wait for different operations never block each
/// other.
class Progress {
 public:
  /// `check` is asked while waiting, and throws when the run is failing. `ranks`: on this host.
  Progress(std::function<void()> check, int ranks);

  /// Takes the operation in and pushes everything once. Throws once anything has failed.
  void start(std::shared_ptr<Operation> operation);
  /// Pushes everything once; true if anything moved. Throws once anything has failed.
  bool poll();
  void wait(const Operation& operation);
  void wait_until(const std::function<bool()>& ready);

 private:
  bool advance_all();

  std::function<void()> check_;
  bool spin_;
  std::vector<std::shared_ptr<Operation>> in_flight_;  // oldest first
  std::exception_ptr failure_;
};

}  // namespace boostr
