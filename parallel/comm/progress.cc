#include "parallel/comm/progress.h"

#include <thread>
#include <utility>

namespace boostr {
namespace {

constexpr int spins = 200;
constexpr std::chrono::microseconds yield_for{500};
constexpr std::chrono::microseconds nap{50};

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

void Backoff::pause() {
  ++pauses_;
  if (spin_ && pauses_ < spins) return relax();
  const auto now = std::chrono::steady_clock::now();
  if (pauses_ == 1 || (spin_ && pauses_ == spins)) first_yield_ = now;
  if (now - first_yield_ < yield_for) return std::this_thread::yield();
  std::this_thread::sleep_for(nap);
}

Progress::Progress(std::function<void()> check, int ranks)
    : check_(std::move(check)),
      spin_(ranks <= static_cast<int>(std::thread::hardware_concurrency())) {}

void Progress::start(std::shared_ptr<Operation> operation) {
  in_flight_.push_back(std::move(operation));
  poll();
}

bool Progress::poll() {
  if (failure_) std::rethrow_exception(failure_);
  try {
    check_();
    return advance_all();
  } catch (...) {
    failure_ = std::current_exception();
    throw;
  }
}

bool Progress::advance_all() {
  bool moved = false;
  for (const std::shared_ptr<Operation>& operation : in_flight_) {
    const Step step = operation->advance();
    operation->done_ = step == Step::done;
    moved = moved || step != Step::waiting;
  }
  std::erase_if(in_flight_, [](const auto& operation) { return operation->done(); });
  return moved;
}

void Progress::wait(const Operation& operation) {
  wait_until([&] { return operation.done(); });
}

void Progress::wait_until(const std::function<bool()>& ready) {
  Backoff backoff(spin_);
  while (!ready()) {
    if (poll()) {
      backoff.reset();
    } else {
      backoff.pause();
    }
  }
}

}  // namespace boostr
