#include "kernels/runtime/profiler.h"

#include "kernels/kernel_event.h"
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

template <auto row>
struct Profiled;

/// The row's own kernel with a note of what it was and how long it took.
template <class Result, class... Args, Result (*KernelTable::*row)(Stream&, Args...)>
struct Profiled<row> {
  static Result call(Stream& stream, Args... args) {
    const TimelineScope scope(*profiling.timeline, kernel_event<row>(args...));
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
