#include "trainer/collective_timeout.h"

#include <algorithm>
#include <vector>

namespace boostr {
namespace {

using Seconds = CollectiveTimeout::Seconds;

constexpr Seconds at_start{300}, at_least{60};
constexpr double medians = 10;
constexpr std::size_t steps_kept = 64;

Seconds median(std::vector<Seconds> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace

Seconds CollectiveTimeout::between_steps() const {
  return configured_ > Seconds(0) ? configured_ : at_start;
}

Seconds CollectiveTimeout::in_step() const {
  if (configured_ > Seconds(0) || last_steps_.empty()) return between_steps();
  return std::max(at_least, medians * median({last_steps_.begin(), last_steps_.end()}));
}

void CollectiveTimeout::step_took(Seconds time) {
  last_steps_.push_back(time);
  if (last_steps_.size() > steps_kept) last_steps_.pop_front();
}

}  // namespace boostr
