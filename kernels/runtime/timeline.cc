#include "kernels/runtime/timeline.h"

namespace boostr {

void TimelineEvent::add_shape(const Shape& shape) {
  if (num_shapes < max_shapes) shapes[num_shapes++] = shape;
}

void Timeline::restart(std::size_t expected) {
  events_.clear();
  events_.reserve(expected);
  start_ = Clock::now();
}

std::int64_t Timeline::now() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start_).count();
}

}  // namespace boostr
