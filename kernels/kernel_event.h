#pragma once

#include <span>
#include <string_view>
#include <type_traits>

#include "kernels/kernel_cost.h"
#include "kernels/runtime/timeline.h"

namespace boostr {

/// Fills in an event's type, that of the first input or else output, and shapes.
class EventOperands {
 public:
  explicit EventOperands(TimelineEvent& event) : event_(event) {}

  void add(const In& input) {
    if (!input) return;
    if (!has_input_) event_.dtype = input.dtype;
    has_input_ = true;
    event_.add_shape(input.shape);
  }
  void add(const Out& output) {
    if (!output) return;
    if (event_.num_shapes == 0) event_.dtype = output.dtype;
    event_.add_shape(output.shape);
  }
  void add(std::span<const OptimizerSlice> slices) {
    std::int64_t numel = 0;
    for (const OptimizerSlice& slice : slices) numel += slice.master.shape.numel();
    if (!slices.empty()) event_.dtype = slices.front().master.dtype;
    event_.add_shape({numel});
  }
  template <class Option>
  void add(const Option& /*option*/) {}

 private:
  TimelineEvent& event_;
  bool has_input_ = false;
};

template <auto row>
constexpr std::string_view kernel_name = [] {
  std::string_view found;
  for_each_row([&]<auto other>(std::string_view name, KernelRow<other>) {
    if (std::is_same_v<KernelRow<row>, KernelRow<other>>) found = name;
  });
  return found;
}();

/// The call of a row with `args` (without the stream) as an event: its name, cost, type and shapes.
template <auto row, class... Args>
TimelineEvent kernel_event(const Args&... args) {
  TimelineEvent event{.kind = TimelineEvent::Kind::kernel, .name = kernel_name<row>};
  const KernelCost cost = kernel_cost(KernelRow<row>{}, args...);
  event.flops = cost.flops;
  event.bytes = cost.bytes;
  EventOperands operands(event);
  (operands.add(args), ...);
  return event;
}

}  // namespace boostr
