#include "trainer/collective_timeout.h"

#include <algorithm>
#include <vector>

namespace boostr {
namespace {

constexpr double at_start = 300, at_least = 60, medians = 10;  // seconds, seconds, factor
constexpr std::size_t steps_kept = 64;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace

double CollectiveTimeout::between_steps() const { return configured_ > 0 ? configured_ : at_start; }

double CollectiveTimeout::in_step() const {
  if (configured_ > 0 || last_steps_.empty()) return between_steps();
  return std::max(at_least, medians * median({last_steps_.begin(), last_steps_.end()}));
}

void CollectiveTimeout::step_took(double seconds) {
  last_steps_.push_back(seconds);
  if (last_steps_.size() > steps_kept) last_steps_.pop_front();
}

}  // namespace boostr
