#include "kernels/runtime/profiler.h"

#include "kernels/kernel_cost.h"
#include "kernels/registry.h"

namespace boostr {
namespace {

/// What the profiled rows of a thread call and where they note it: a row is a bare function, so it
/// must find both by itself.
struct Profiling {
  const KernelTable* kernels = nullptr;
  Timeline* timeline = nullptr;
  KernelTable table{};  ///< what kernels() returns meanwhile
};
thread_local Profiling profiling;

/// Fills in an event's type, that of the first input or else output, and shapes.
class Operands {
 public:
  explicit Operands(TimelineEvent& event) : event_(event) {}

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
constexpr std::string_view name_of = [] {
  std::string_view found;
  for_each_row([&]<auto other>(std::string_view name, KernelRow<other>) {
    if (std::is_same_v<KernelRow<row>, KernelRow<other>>) found = name;
  });
  return found;
}();

template <auto row>
struct Profiled;

/// The row's own kernel with a note of what it was and how long it took.
template <class Result, class... Args, Result (*KernelTable::*row)(Stream&, Args...)>
struct Profiled<row> {
  static Result call(Stream& stream, Args... args) {
    TimelineEvent event{.kind = TimelineEvent::Kind::kernel, .name = name_of<row>};
    const KernelCost cost = kernel_cost(KernelRow<row>{}, args...);
    event.flops = cost.flops;
    event.bytes = cost.bytes;
    Operands operands(event);
    (operands.add(args), ...);
    const TimelineScope scope(*profiling.timeline, event);
    return (profiling.kernels->*row)(stream, args...);
  }
};

/// The profiled form of every row that `kernels` has.
constexpr KernelTable profiled(const KernelTable& kernels) {
  KernelTable table{};
  table.level = kernels.level;
  for_each_row([&]<auto row>(std::string_view /*name*/, KernelRow<row>) {
    if (kernels.*row != nullptr) table.*row = &Profiled<row>::call;
  });
  return table;
}

/// The rows listed by for_each_row, each counted once however often it stands there.
constexpr std::size_t distinct_rows() {
  KernelTable seen{};
  std::size_t count = 0;
  for_each_row([&]<auto row>(std::string_view /*name*/, KernelRow<row>) {
    if (seen.*row == nullptr) ++count;
    seen.*row = &Profiled<row>::call;
  });
  return count;
}
static_assert(sizeof(KernelTable) == sizeof(const char*) + distinct_rows() * sizeof(void (*)()),
              "a row of KernelTable is missing in for_each_row (kernels/kernel_rows.h)");

}  // namespace

KernelProfiler::KernelProfiler(Timeline& timeline, Device device) : device_(device) {
  expect(profiling.timeline == nullptr, "this thread's kernels are being profiled already");
  profiling.kernels = &kernels(device);
  profiling.timeline = &timeline;
  profiling.table = profiled(*profiling.kernels);
  set_kernels(profiling.table, device);
}

KernelProfiler::~KernelProfiler() {
  set_kernels(*profiling.kernels, device_);
  profiling.timeline = nullptr;
}

}  // namespace boostr
