#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "kernels/runtime/dtype.h"
#include "kernels/runtime/shape.h"

namespace boostr {

/// Something that a host thread did from `begin` to `end`.
struct TimelineEvent {
  enum class Kind : std::uint8_t { step, kernel, communication, data };
  static constexpr std::size_t max_shapes = 3;

  Kind kind = Kind::kernel;
  DType dtype = DType::u8;
  std::string_view name;  ///< of static storage
  int ranks = 0;          ///< that take part in communication
  std::int64_t begin = 0;
  std::int64_t end = 0;  ///< nanoseconds since the timeline began
  double flops = 0;
  double bytes = 0;
  std::array<Shape, max_shapes> shapes{};  ///< of the first operands
  std::size_t num_shapes = 0;

  /// Appends `shape` if there is room.
  void add_shape(const Shape& shape);
};

/// What one host thread did, in the order in which it ended. Events of all kinds but `step` follow
/// each other; they lie inside steps. Used by one thread.
class Timeline {
 public:
  /// Forgets all events, makes room for `expected` and begins at time 0 again.
  void restart(std::size_t expected);
  std::int64_t now() const;
  void add(const TimelineEvent& event) { events_.push_back(event); }
  const std::vector<TimelineEvent>& events() const { return events_; }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
  std::vector<TimelineEvent> events_;
};

/// Adds `event` to the timeline with the time from construction to destruction.
class TimelineScope {
 public:
  TimelineScope(Timeline& timeline, const TimelineEvent& event)
      : timeline_(timeline), event_(event) {
    event_.begin = timeline.now();
  }
  ~TimelineScope() {
    event_.end = timeline_.now();
    timeline_.add(event_);
  }
  TimelineScope(const TimelineScope&) = delete;
  TimelineScope& operator=(const TimelineScope&) = delete;

 private:
  Timeline& timeline_;
  TimelineEvent event_;
};

}  // namespace boostr
